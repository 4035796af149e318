package org.powerattention.runtime;

import java.lang.ref.Reference;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.BackwardProblem;

/** The backward calls of an operator, and what they need. */
final class BackwardCalls {
  /** The addresses of the arrays of a call. */
  record Addresses(
      long q, long k, long v, long logG, long dY, long dQ, long dK, long dV, long dLogG) {}

  private final PowerAttentionOperator operator;
  private final Accelerator accelerator;
  private final KernelSpec spec;
  private final ArgumentChecks checks;
  private final StateChecks states;

  BackwardCalls(PowerAttentionOperator operator) {
    this.operator = operator;
    this.accelerator = operator.accelerator();
    this.spec = operator.spec();
    this.checks = new ArgumentChecks(accelerator, spec);
    this.states = new StateChecks(checks, spec);
  }

  SavedForward newSaved(int batch, int tokens, int queryHeads) {
    operator.checkOpen();
    CallSizes sizes = new CallSizes(batch, tokens, queryHeads, queryHeads, null);
    return SavedForward.allocate(operator, sizes.rows(), queryHeads);
  }

  Gradients newGradients(Tensor q, Tensor k, BackwardOptions options) {
    operator.checkOpen();
    Objects.requireNonNull(options, "options");
    CallSizes sizes = checks.sizes(q, k, options.packed());
    states.sums("initialState", options.initialState(), sizes);
    checks.stream(options.stream());
    return allocate(sizes, options);
  }

  private Gradients allocate(CallSizes sizes, BackwardOptions options) {
    Stream stream = options.stream();
    Layout queries = Layout.contiguous(sizes.queryShape(spec));
    Layout keys = Layout.contiguous(sizes.keyShape(spec));
    Layout gates = Layout.contiguous(sizes.gateShape());
    try (Allocations made = new Allocations()) {
      Tensor dQ = made.add(accelerator.allocateFor(stream, spec.dtype(), queries));
      Tensor dK = made.add(accelerator.allocateFor(stream, spec.dtype(), keys));
      Tensor dV = made.add(accelerator.allocateFor(stream, spec.dtype(), keys));
      Tensor dLogG =
          spec.gated() ? made.add(accelerator.allocateFor(stream, DType.FP32, gates)) : null;
      State dInitialState =
          options.initialState() == null
              ? null
              : States.undefined(operator, sizes.batch(), sizes.keyHeads(), stream);
      made.keep();
      return Gradients.of(dQ, dK, dV, dLogG, dInitialState);
    }
  }

  Gradients call(Inputs inputs, Tensor dY, BackwardOptions options) {
    CallSizes sizes = check(inputs, dY, options);
    try (Allocations made = new Allocations()) {
      Gradients allocated = allocate(sizes, options);
      Gradients gradients = made.add(allocated, allocated::close);
      launch(gradients, inputs, dY, sizes, options);
      made.keep();
      return gradients;
    }
  }

  void callInto(Gradients gradients, Inputs inputs, Tensor dY, BackwardOptions options) {
    CallSizes sizes = check(inputs, dY, options);
    checks.gradients(gradients, sizes);
    checkInitialStateGradient(gradients.dInitialState().orElse(null), sizes, options);
    new Separation()
        .reads(inputs)
        .reads("dY", dY)
        .reads("initialState", options.initialState())
        .reads("dFinalState", options.dFinalState())
        .writes("dQ", gradients.dQ())
        .writes("dK", gradients.dK())
        .writes("dV", gradients.dV())
        .writes("dLogG", gradients.dLogG().orElse(null))
        .writes("dInitialState", gradients.dInitialState().orElse(null))
        .check();
    launch(gradients, inputs, dY, sizes, options);
  }

  void callRaw(
      Addresses at, @Nullable State dInitialState, CallSizes sizes, BackwardOptions options) {
    try (BorrowedTensors borrowed = new BorrowedTensors(accelerator)) {
      Gradients gradients =
          Gradients.of(
              borrowed.tensor(spec.dtype(), at.dQ, sizes.queryShape(spec)),
              borrowed.tensor(spec.dtype(), at.dK, sizes.keyShape(spec)),
              borrowed.tensor(spec.dtype(), at.dV, sizes.keyShape(spec)),
              borrowed.tensorOrNull(DType.FP32, at.dLogG, sizes.gateShape()),
              dInitialState);
      callInto(
          gradients,
          new Inputs(
              borrowed.tensor(spec.dtype(), at.q, sizes.queryShape(spec)),
              borrowed.tensor(spec.dtype(), at.k, sizes.keyShape(spec)),
              borrowed.tensor(spec.dtype(), at.v, sizes.keyShape(spec)),
              borrowed.tensorOrNull(DType.FP32, at.logG, sizes.gateShape())),
          borrowed.tensor(spec.dtype(), at.dY, sizes.queryShape(spec)),
          options);
    }
  }

  private CallSizes check(Inputs inputs, Tensor dY, BackwardOptions options) {
    operator.checkOpen();
    Objects.requireNonNull(options, "options");
    CallSizes sizes = checks.inputs(inputs, options.packed());
    checks.outputGradient(dY, sizes);
    states.sums("initialState", options.initialState(), sizes);
    states.gradient("dFinalState", options.dFinalState(), sizes);
    SavedForward saved = options.saved();
    if (saved != null) {
      checks.sameAccelerator("saved", saved.accelerator());
      saved.checkFilled(operator, sizes, options.initialState() != null);
    }
    checks.stream(options.stream());
    return sizes;
  }

  private void checkInitialStateGradient(
      @Nullable State gradient, CallSizes sizes, BackwardOptions options) {
    if (gradient == null && options.initialState() != null) {
      throw new IllegalArgumentException(
          "gradients without dInitialState for a call with an initial state; give a state from"
              + " newState, or use newGradients");
    }
    if (gradient != null && options.initialState() == null) {
      throw new IllegalArgumentException(
          "gradients with dInitialState for a call without an initial state; leave it out");
    }
    states.gradient("dInitialState", gradient, sizes);
  }

  private void launch(
      Gradients gradients, Inputs inputs, Tensor dY, CallSizes sizes, BackwardOptions options) {
    State initial = options.initialState();
    State dInitial = gradients.dInitialState().orElse(null);
    State dFinal = options.dFinalState();
    Tensor dLogG = gradients.dLogG().orElse(null);
    SavedForward saved = options.saved();
    PackedSequences sequences = options.packed();
    boolean packed = sequences != null;
    Stream stream = options.stream();
    long handle = stream == null ? 0 : stream.handle();
    boolean chunked = operator.tuner().chunked(options.form(), sizes);
    try {
      if (initial != null) {
        initial.foldWindow(handle);
      }
      operator
          .program()
          .backward(
              new BackwardProblem(
                  spec,
                  sizes.batch(),
                  sizes.tokens(),
                  sizes.queryHeads(),
                  sizes.keyHeads(),
                  options.scaleFor(spec.headDim()),
                  chunked,
                  inputs.q().backendView(packed),
                  inputs.k().backendView(packed),
                  inputs.v().backendView(packed),
                  inputs.logG() == null ? null : inputs.logG().backendView(packed),
                  dY.backendView(packed),
                  gradients.dQ().backendView(packed),
                  gradients.dK().backendView(packed),
                  gradients.dV().backendView(packed),
                  dLogG == null ? null : dLogG.backendView(packed),
                  initial == null ? null : initial.sumsView(),
                  dInitial == null ? null : dInitial.sumsView(),
                  dFinal == null ? null : dFinal.sumsView(),
                  saved == null ? null : saved.view(chunked),
                  sequences == null ? null : sequences.view(),
                  handle));
    } finally {
      // Nothing may be taken for unreachable, and freed, before the work is enqueued.
      for (Object used : new Object[] {operator, gradients, inputs, dY, options}) {
        Reference.reachabilityFence(used);
      }
    }
  }
}
