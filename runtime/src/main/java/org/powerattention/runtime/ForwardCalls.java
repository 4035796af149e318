package org.powerattention.runtime;

import java.lang.ref.Reference;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.PackedView;
import org.powerattention.runtime.spi.SavedView;

/** The forward calls of an operator. */
final class ForwardCalls {
  private final PowerAttentionOperator operator;
  private final Accelerator accelerator;
  private final KernelSpec spec;
  private final ArgumentChecks checks;
  private final StateChecks states;

  ForwardCalls(PowerAttentionOperator operator) {
    this.operator = operator;
    this.accelerator = operator.accelerator();
    this.spec = operator.spec();
    this.checks = new ArgumentChecks(accelerator, spec);
    this.states = new StateChecks(checks, spec);
  }

  Tensor call(Inputs inputs, ForwardOptions options) {
    CallSizes sizes = check(inputs, options);
    separation(inputs, options).check();
    Layout layout = Layout.contiguous(sizes.queryShape(spec));
    try (Allocations made = new Allocations()) {
      Tensor y = made.add(accelerator.allocateFor(options.stream(), spec.dtype(), layout));
      launch(y, inputs, sizes, options);
      made.keep();
      return y;
    }
  }

  void callInto(Tensor y, Inputs inputs, ForwardOptions options) {
    CallSizes sizes = check(inputs, options);
    checks.headResult("y", y, sizes.queryShape(spec));
    separation(inputs, options).writes("y", y).check();
    launch(y, inputs, sizes, options);
  }

  void callRaw(
      long q,
      long k,
      long v,
      long logG,
      long y,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      ForwardOptions options) {
    operator.checkOpen();
    accelerator.checkCuda("forward over device addresses");
    CallSizes sizes = CallSizes.ofRaw(batch, tokens, queryHeads, keyHeads, options.packed());
    try (BorrowedTensors borrowed = new BorrowedTensors(accelerator)) {
      callInto(
          borrowed.tensor(spec.dtype(), y, sizes.queryShape(spec)),
          new Inputs(
              borrowed.tensor(spec.dtype(), q, sizes.queryShape(spec)),
              borrowed.tensor(spec.dtype(), k, sizes.keyShape(spec)),
              borrowed.tensor(spec.dtype(), v, sizes.keyShape(spec)),
              borrowed.tensorOrNull(DType.FP32, logG, sizes.gateShape())),
          options);
    }
  }

  private CallSizes check(Inputs inputs, ForwardOptions options) {
    operator.checkOpen();
    Objects.requireNonNull(options, "options");
    CallSizes sizes = checks.inputs(inputs, options.packed());
    states.sums("initialState", options.initialState(), sizes);
    states.sums("finalState", options.finalState(), sizes);
    SavedForward saved = options.saved();
    if (saved != null) {
      checks.sameAccelerator("saved", saved.accelerator());
      saved.checkFits(operator, sizes);
    }
    checks.stream(options.stream());
    return sizes;
  }

  /** Everything but y. A state may be both initial and final. */
  private static Separation separation(Inputs inputs, ForwardOptions options) {
    State initial = options.initialState();
    return new Separation()
        .reads(inputs)
        .reads("initialState", initial == options.finalState() ? null : initial)
        .writes("finalState", options.finalState());
  }

  private void launch(Tensor y, Inputs inputs, CallSizes sizes, ForwardOptions options) {
    State initial = options.initialState();
    State last = options.finalState();
    SavedForward saved = options.saved();
    PackedSequences packed = options.packed();
    Stream stream = options.stream();
    long handle = stream == null ? 0 : stream.handle();
    operator.tuner().beforeCall(options.form(), sizes);
    try {
      foldWindow(initial, handle);
      // What a final state held is forgotten, its window included.
      foldWindow(last, handle);
      boolean chunked = operator.tuner().chunked(options.form(), sizes);
      PackedView offsets = packed == null ? null : packed.view();
      long stateBytes =
          saved != null && options.savesStates()
              ? operator.program().keptStateBytes(sizes.shape(), chunked, initial != null, offsets)
              : 0;
      SavedView kept = saved == null ? null : saved.empty(stateBytes, stream);
      operator
          .program()
          .forward(
              new ForwardProblem(
                  spec,
                  sizes.batch(),
                  sizes.tokens(),
                  sizes.queryHeads(),
                  sizes.keyHeads(),
                  options.scaleFor(spec.headDim()),
                  chunked,
                  inputs.q().backendView(packed != null),
                  inputs.k().backendView(packed != null),
                  inputs.v().backendView(packed != null),
                  inputs.logG() == null ? null : inputs.logG().backendView(packed != null),
                  y.backendView(packed != null),
                  initial == null ? null : initial.sumsView(),
                  last == null ? null : last.sumsView(),
                  kept,
                  offsets,
                  handle));
      if (saved != null) {
        saved.markFilled(sizes, initial != null, chunked, stateBytes > 0);
      }
    } finally {
      // Nothing may be taken for unreachable, and freed, before the work is enqueued.
      for (Object used : new Object[] {operator, y, inputs, options}) {
        Reference.reachabilityFence(used);
      }
    }
  }

  private static void foldWindow(@Nullable State state, long stream) {
    if (state != null) {
      state.foldWindow(stream);
    }
  }
}
