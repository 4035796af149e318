package org.powerattention.processor.write;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.validate.Operator;

/** The documentation of a launcher: what it computes, on what shapes, and at what cost. */
final class LauncherJavadoc {
  private LauncherJavadoc() {}

  /** Returns the Javadoc of the launcher class. */
  static String of(Operator operator) {
    return summary(operator)
        + formula(operator.spec())
        + shapes(operator.spec())
        + costs(operator.spec());
  }

  private static String summary(Operator operator) {
    KernelSpec spec = operator.spec();
    return """
    Power attention of degree %d on heads of %d numbers in %s, %s, %s.
    Declared on {@code %s}.

    """
        .formatted(
            spec.degree(),
            spec.headDim(),
            spec.dtype(),
            spec.gated() ? "gated" : "not gated",
            spec.normalized() ? "normalised" : "not normalised",
            operator.typeName());
  }

  private static String formula(KernelSpec spec) {
    String product = "scale * &lt;q_i, k_j&gt;";
    String power = spec.degree() == 1 ? product : "(" + product + ")^" + spec.degree();
    String cumulative = spec.gated() ? "  G_i  = sum_{m &lt;= i} logG_m\n" : "";
    String decay = spec.gated() ? " * exp(G_i - G_j)" : "";
    String divisor = spec.normalized() ? " / sum_j w_ij" : "";
    return """
    <pre>
    %s  w_ij = %s%s,   j &lt;= i
      y_i  = sum_j w_ij v_j%s
    </pre>

    """
        .formatted(cumulative, power, decay, divisor);
  }

  private static String shapes(KernelSpec spec) {
    return """
    <p>(arXiv 2507.04239.) q and y are [b, t, hq, %1$d], k and v [b, t, h, %1$d], in %2$s%3$s.
    Query head r reads key/value head r / (hq / h). Packed sequences have no batch dimension: q is
    [total, hq, %1$d], and so on. The scale is 1/sqrt(%1$d) unless given. Sums are kept in
    fp32.%4$s

    """
        .formatted(
            spec.headDim(),
            spec.dtype(),
            spec.gated() ? ", and\nlogG is [b, t, h], in FP32" : "",
            spec.normalized() ? " Where the sum of the weights is 0, y is 0." : "");
  }

  private static String costs(KernelSpec spec) {
    return """
    <ul>
      <li>Features of a key: D = %s
      <li>State of a key/value head: %s, and %s for its latest tokens (up to %d), whatever the
          context length
      <li>Attention form: %s FLOPs per token and head for each token of context
      <li>Chunked form: %s FLOPs per token and head, in chunks of %s tokens
      <li>The chunked form takes fewer FLOPs from %s tokens on
      <li>Device memory of a forward call in chunked form, beyond its tensors: about %s for each
          chunk and key/value head, for the state at the chunk's start
      <li>Backward: about 2.5 times the FLOPs of forward
      <li>Saved for backward: %s
      <li>Decode: a token reads the state and its latest tokens, %s at most for each key/value head,
          and writes the state once in %d tokens
    </ul>

    <p>Safe for many threads.
    """
        .formatted(
            grouped(spec.featureDim()),
            bytes(spec.stateBytes()),
            bytes(windowBytes(spec)),
            spec.windowTokens(),
            grouped(Math.round(spec.attentionFlopsPerToken(1))),
            grouped(Math.round(spec.chunkedFlopsPerToken())),
            grouped(spec.chunk()),
            grouped(spec.crossoverTokens()),
            bytes(KernelPlan.snapshotBytes(spec)),
            savedBytes(spec),
            bytes(spec.stateBytes() + windowBytes(spec)),
            spec.windowTokens() / 2);
  }

  /** Returns what a saved forward call takes, in words. */
  static String savedBytes(KernelSpec spec) {
    List<String> parts = new ArrayList<>();
    if (spec.normalized()) {
      parts.add(bytes((spec.headDim() + 1L) * Float.BYTES) + " per token and query head");
    }
    long states = KernelPlan.keptStateBytes(spec);
    if (states > 0) {
      parts.add(bytes(states) + " per chunk and key/value head");
    }
    return parts.isEmpty() ? "nothing" : String.join(";\n    ", parts);
  }

  /** Bytes of the keys, values and log gates of a state's latest tokens, of one head. */
  private static long windowBytes(KernelSpec spec) {
    int token = 2 * spec.headDim() * spec.dtype().bytes() + (spec.gated() ? Float.BYTES : 0);
    return (long) spec.windowTokens() * token;
  }

  private static String grouped(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  private static String bytes(long bytes) {
    if (bytes < 1 << 10) {
      return bytes + " bytes";
    }
    if (bytes < 1 << 20) {
      return String.format(Locale.ROOT, "%.1f KiB", bytes / (double) (1 << 10));
    }
    return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20));
  }
}
