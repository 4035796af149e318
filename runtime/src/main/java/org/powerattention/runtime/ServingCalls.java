package org.powerattention.runtime;

import java.lang.ref.Reference;
import java.util.Objects;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.PrefillProblem;

/** The prefill and decode calls of an operator. */
final class ServingCalls {
  private final PowerAttentionOperator operator;
  private final Accelerator accelerator;
  private final KernelSpec spec;
  private final ArgumentChecks checks;
  private final StateChecks states;

  ServingCalls(PowerAttentionOperator operator) {
    this.operator = operator;
    this.accelerator = operator.accelerator();
    this.spec = operator.spec();
    this.checks = new ArgumentChecks(accelerator, spec);
    this.states = new StateChecks(checks, spec);
  }

  State newState(int batch, int keyHeads) {
    operator.checkOpen();
    CallSizes sizes = new CallSizes(batch, 1, keyHeads, keyHeads, null);
    return States.zeros(operator, sizes.batch(), sizes.keyHeads());
  }

  Tensor prefill(State state, Inputs inputs, ServeOptions options) {
    CallSizes sizes = check(state, inputs, options);
    separation(state, inputs).check();
    try (Allocations made = new Allocations()) {
      Tensor y = made.add(output(sizes, options));
      launchPrefill(y, state, inputs, sizes, options);
      made.keep();
      return y;
    }
  }

  void prefillInto(Tensor y, State state, Inputs inputs, ServeOptions options) {
    CallSizes sizes = check(state, inputs, options);
    checks.headResult("y", y, sizes.queryShape(spec));
    separation(state, inputs).writes("y", y).check();
    launchPrefill(y, state, inputs, sizes, options);
  }

  Tensor decode(State state, Inputs inputs, ServeOptions options) {
    CallSizes sizes = checkDecode(state, inputs, options);
    separation(state, inputs).check();
    try (Allocations made = new Allocations()) {
      Tensor y = made.add(output(sizes, options));
      launchDecode(y, state, inputs, sizes, options);
      made.keep();
      return y;
    }
  }

  void decodeInto(Tensor y, State state, Inputs inputs, ServeOptions options) {
    CallSizes sizes = checkDecode(state, inputs, options);
    checks.headResult("y", y, sizes.queryShape(spec));
    separation(state, inputs).writes("y", y).check();
    launchDecode(y, state, inputs, sizes, options);
  }

  DecodeStep captureDecode(Tensor y, State state, Inputs inputs, ServeOptions options) {
    CallSizes sizes = checkDecode(state, inputs, options);
    checks.headResult("y", y, sizes.queryShape(spec));
    separation(state, inputs).writes("y", y).check();
    LoadedProgram program = operator.program();
    return new DecodeStep(
        operator,
        y,
        state,
        inputs,
        options.stream(),
        program.captureDecode(decodeProblem(program, y, state, inputs, sizes, options)));
  }

  /** Calls whose arguments are at device addresses: the output's, then the inputs'. */
  interface Call {
    void on(Tensor y, Inputs inputs);
  }

  /**
   * Makes tensors of contiguous arrays at device addresses for a call.
   *
   * @param logG 0 for none
   */
  void raw(
      State state,
      long q,
      long k,
      long v,
      long logG,
      long y,
      int tokens,
      int queryHeads,
      Call call) {
    operator.checkOpen();
    accelerator.checkCuda("prefill or decode over device addresses");
    CallSizes sizes = new CallSizes(state.batch(), tokens, queryHeads, state.keyHeads(), null);
    try (BorrowedTensors borrowed = new BorrowedTensors(accelerator)) {
      call.on(
          borrowed.tensor(spec.dtype(), y, sizes.queryShape(spec)),
          new Inputs(
              borrowed.tensor(spec.dtype(), q, sizes.queryShape(spec)),
              borrowed.tensor(spec.dtype(), k, sizes.keyShape(spec)),
              borrowed.tensor(spec.dtype(), v, sizes.keyShape(spec)),
              borrowed.tensorOrNull(DType.FP32, logG, sizes.gateShape())));
    }
  }

  private CallSizes check(State state, Inputs inputs, ServeOptions options) {
    operator.checkOpen();
    Objects.requireNonNull(options, "options");
    CallSizes sizes = checks.inputs(inputs, null);
    states.serving(state, sizes);
    checks.stream(options.stream());
    return sizes;
  }

  private CallSizes checkDecode(State state, Inputs inputs, ServeOptions options) {
    CallSizes sizes = check(state, inputs, options);
    if (sizes.tokens() != 1) {
      throw new IllegalArgumentException(
          "decode of "
              + sizes.tokens()
              + " tokens per sequence; allowed: 1, in shapes [batch, 1, heads, "
              + spec.headDim()
              + "]; use prefill for more");
    }
    return sizes;
  }

  private static Separation separation(State state, Inputs inputs) {
    return new Separation().reads(inputs).writes("state", state);
  }

  private Tensor output(CallSizes sizes, ServeOptions options) {
    Layout layout = Layout.contiguous(sizes.queryShape(spec));
    return accelerator.allocateFor(options.stream(), spec.dtype(), layout);
  }

  private void launchPrefill(
      Tensor y, State state, Inputs inputs, CallSizes sizes, ServeOptions options) {
    PrefillProblem problem =
        new PrefillProblem(
            spec,
            sizes.batch(),
            sizes.tokens(),
            sizes.queryHeads(),
            sizes.keyHeads(),
            options.scaleFor(spec.headDim()),
            operator.tuner().chunked(options.form(), sizes),
            inputs.q().backendView(false),
            inputs.k().backendView(false),
            inputs.v().backendView(false),
            inputs.logG() == null ? null : inputs.logG().backendView(false),
            y.backendView(false),
            state.servingView(),
            handle(options));
    try {
      state.markWindow();
      operator.program().prefill(problem);
    } finally {
      // Nothing may be taken for unreachable, and freed, before the work is enqueued.
      for (Object used : new Object[] {operator, y, state, inputs, options}) {
        Reference.reachabilityFence(used);
      }
    }
  }

  private void launchDecode(
      Tensor y, State state, Inputs inputs, CallSizes sizes, ServeOptions options) {
    LoadedProgram program = operator.program();
    DecodeProblem problem = decodeProblem(program, y, state, inputs, sizes, options);
    try {
      state.markWindow();
      program.decode(problem);
    } finally {
      // Nothing may be taken for unreachable, and freed, before the work is enqueued.
      for (Object used : new Object[] {operator, y, state, inputs, options}) {
        Reference.reachabilityFence(used);
      }
    }
  }

  private DecodeProblem decodeProblem(
      LoadedProgram program,
      Tensor y,
      State state,
      Inputs inputs,
      CallSizes sizes,
      ServeOptions options) {
    long workspaceBytes =
        program.decodeWorkspaceBytes(sizes.batch(), sizes.queryHeads(), sizes.keyHeads());
    return new DecodeProblem(
        spec,
        sizes.batch(),
        sizes.queryHeads(),
        sizes.keyHeads(),
        options.scaleFor(spec.headDim()),
        inputs.q().backendView(false),
        inputs.k().backendView(false),
        inputs.v().backendView(false),
        inputs.logG() == null ? null : inputs.logG().backendView(false),
        y.backendView(false),
        state.servingView(),
        state.serving().workspace(workspaceBytes),
        handle(options));
  }

  private static long handle(ServeOptions options) {
    Stream stream = options.stream();
    return stream == null ? 0 : stream.handle();
  }
}
