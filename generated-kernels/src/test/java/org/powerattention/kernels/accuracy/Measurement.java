package org.powerattention.kernels.accuracy;

import java.util.EnumSet;
import java.util.Set;
import org.powerattention.annotations.KernelSpec;

/**
 * An error of an operator.
 *
 * @param operator its name
 * @param spec its spec
 * @param what which result: outputs by a form or by a way to serve them, a state, or a gradient
 * @param gates the log gates
 * @param tokens tokens per sequence
 * @param error relative L2 error against fp64
 */
record Measurement(
    String operator, KernelSpec spec, Result what, Gates gates, int tokens, double error) {
  private static final Set<Result> GRADIENTS =
      EnumSet.of(Result.DQ, Result.DK, Result.DV, Result.DLOGG);

  /** What was measured. */
  enum Result {
    ATTENTION("attention"),
    CHUNKED("chunked"),
    STATE("state"),
    PREFILL("prefill"),
    DECODE("decode"),
    CAPTURED("captured"),
    MIXED("mixed calls"),
    DQ("dq"),
    DK("dk"),
    DV("dv"),
    DLOGG("dlogG");

    private final String label;

    Result(String label) {
      this.label = label;
    }

    @Override
    public String toString() {
      return label;
    }
  }

  /** Greatest error that is accepted. */
  double limit() {
    if (GRADIENTS.contains(what)) {
      return GradientCheck.limit(spec.dtype());
    }
    return switch (spec.dtype()) {
      case BF16 -> 5e-3;
      case FP16 -> 2e-3;
      case FP32 -> 1e-5;
    };
  }

  /** Returns whether the error is accepted; NaN is not. */
  boolean fits() {
    return error <= limit();
  }

  @Override
  public String toString() {
    return String.format(
        "%s, %s, %s gates, t = %d: %.2e (limit %.0e)",
        operator, what, gates, tokens, error, limit());
  }
}
