package org.powerattention.runtime;

import java.lang.ref.Reference;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;

/**
 * A declaration's program on an accelerator; what a generated launcher delegates to.
 *
 * <p>Shapes, with b sequences of t tokens, hq query heads, h key/value heads that divide hq, and
 * head size d: {@code q, y [b, t, hq, d]} and {@code k, v [b, t, h, d]} in the spec's dtype with
 * the last dimension contiguous; {@code logG [b, t, h]} in fp32, each value at most 0. All other
 * strides are free; those of inputs may be 0. Sums are kept in fp32.
 *
 * <p>Calls check every argument before anything is launched, and are asynchronous on CUDA: host
 * copies of the results wait for them. Safe for many threads, as long as calls that write the same
 * tensors or states are ordered by their caller.
 */
public final class PowerAttentionOperator implements AutoCloseable {
  private final Accelerator accelerator;
  private final KernelSpec spec;
  private final LoadedProgram program;
  private final ArgumentChecks checks;
  private final Lifetime lifetime;

  private PowerAttentionOperator(
      Accelerator accelerator, String name, KernelSpec spec, LoadedProgram program) {
    this.accelerator = accelerator;
    this.spec = spec;
    this.program = program;
    this.checks = new ArgumentChecks(accelerator, spec);
    this.lifetime = accelerator.hold(this, "operator " + name, true, program::close);
  }

  /**
   * Loads a program, compiling it first if this machine has not yet.
   *
   * @throws PowerAttentionException if it cannot be compiled or loaded; the message says why
   */
  public static PowerAttentionOperator load(Accelerator accelerator, KernelProgram program) {
    accelerator.checkOpen();
    LoadedProgram loaded = accelerator.backend().load(program);
    return new PowerAttentionOperator(accelerator, program.name(), program.spec(), loaded);
  }

  /** Returns what was declared. */
  public KernelSpec spec() {
    return spec;
  }

  /** Returns the accelerator that it runs on. */
  public Accelerator accelerator() {
    return accelerator;
  }

  /**
   * Computes {@code y} into a new contiguous tensor [b, t, hq, d] of the spec's dtype.
   *
   * @param logG log gates; null exactly if the spec is not gated
   * @throws IllegalArgumentException if an argument does not fit; nothing has happened then
   * @throws DeviceException if the device fails
   */
  public Tensor forward(
      Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, ForwardOptions options) {
    lifetime.checkOpen();
    ArgumentChecks.Sizes sizes = checks.inputs(q, k, v, logG);
    checks.options(options, sizes, q, k, v, logG);
    Layout layout = Layout.contiguous(sizes.queryShape(spec));
    Tensor y = accelerator.allocateFor(options.stream(), spec.dtype(), layout);
    try {
      launch(y, q, k, v, logG, sizes, options);
    } catch (RuntimeException | Error e) {
      y.close();
      throw e;
    }
    return y;
  }

  /**
   * Computes {@code y} into a given tensor [b, t, hq, d] of the spec's dtype.
   *
   * @param y where to; it must not overlap an input or a state, or repeat elements
   * @param logG log gates; null exactly if the spec is not gated
   * @throws IllegalArgumentException if an argument does not fit; nothing has happened then
   * @throws DeviceException if the device fails
   */
  public void forwardInto(
      Tensor y, Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, ForwardOptions options) {
    lifetime.checkOpen();
    ArgumentChecks.Sizes sizes = checks.inputs(q, k, v, logG);
    checks.options(options, sizes, q, k, v, logG);
    checks.output(y, sizes, q, k, v, logG, options);
    launch(y, q, k, v, logG, sizes, options);
  }

  /**
   * Computes y over contiguous device memory that the caller owns; nothing is copied. The addresses
   * are those of the first elements, in the shapes and dtypes of {@link #forwardInto}.
   *
   * @param logG 0 exactly if the spec is not gated
   * @throws IllegalArgumentException if an argument does not fit; nothing has happened then
   * @throws UnsupportedOperationException on the CPU
   * @throws DeviceException if the device fails
   */
  public void forward(
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
    lifetime.checkOpen();
    accelerator.checkCuda("forward over device addresses");
    ArgumentChecks.Sizes sizes = new ArgumentChecks.Sizes(batch, tokens, queryHeads, keyHeads);
    try (Tensor queries = accelerator.borrow(spec.dtype(), q, sizes.queryShape(spec));
        Tensor keys = accelerator.borrow(spec.dtype(), k, sizes.keyShape(spec));
        Tensor values = accelerator.borrow(spec.dtype(), v, sizes.keyShape(spec));
        Tensor result = accelerator.borrow(spec.dtype(), y, sizes.queryShape(spec))) {
      if (logG == 0) {
        forwardInto(result, queries, keys, values, null, options);
      } else {
        try (Tensor gates = accelerator.borrow(DType.FP32, logG, sizes.gateShape())) {
          forwardInto(result, queries, keys, values, gates, options);
        }
      }
    }
  }

  /**
   * Returns a new state of zeros for calls with that batch and number of key/value heads.
   *
   * @throws IllegalArgumentException if either is less than 1, or their product too large
   */
  public State newState(int batch, int keyHeads) {
    lifetime.checkOpen();
    ArgumentChecks.Sizes sizes = new ArgumentChecks.Sizes(batch, 1, keyHeads, keyHeads);
    long features = spec.featureDim();
    Tensor sums =
        accelerator.zeros(DType.FP32, sizes.batch(), sizes.keyHeads(), features, spec.headDim());
    if (!spec.normalized()) {
      return new State(spec, batch, keyHeads, sums, null);
    }
    try {
      Tensor keySums = accelerator.zeros(DType.FP32, batch, keyHeads, features);
      return new State(spec, batch, keyHeads, sums, keySums);
    } catch (RuntimeException | Error e) {
      sums.close();
      throw e;
    }
  }

  /** Unloads the program. Closing again does nothing. */
  @Override
  public void close() {
    lifetime.close();
  }

  private void launch(
      Tensor y,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ArgumentChecks.Sizes sizes,
      ForwardOptions options) {
    State initial = options.initialState();
    State last = options.finalState();
    Stream stream = options.stream();
    ForwardProblem problem =
        new ForwardProblem(
            spec,
            sizes.batch(),
            sizes.tokens(),
            sizes.queryHeads(),
            sizes.keyHeads(),
            options.scaleFor(spec.headDim()),
            chunked(options.form(), sizes.tokens()),
            q.backendView(),
            k.backendView(),
            v.backendView(),
            logG == null ? null : logG.backendView(),
            y.backendView(),
            initial == null ? null : initial.view(),
            last == null ? null : last.view(),
            null,
            null,
            stream == null ? 0 : stream.handle());
    try {
      program.forward(problem);
    } finally {
      // Nothing may be taken for unreachable, and freed, before the work is enqueued.
      for (Object used : new Object[] {this, y, q, k, v, logG, options}) {
        Reference.reachabilityFence(used);
      }
    }
  }

  private boolean chunked(Form form, int tokens) {
    return switch (form) {
      case ATTENTION -> false;
      case CHUNKED -> true;
      case AUTOMATIC -> tokens >= spec.crossoverTokens();
    };
  }
}
