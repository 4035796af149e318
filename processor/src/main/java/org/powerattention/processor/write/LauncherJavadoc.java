package org.powerattention.processor.write;

import java.util.Locale;
import org.powerattention.annotations.KernelSpec;
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
    Query head r reads key/value head r / (hq / h). The scale is 1/sqrt(%1$d) unless given. Sums
    are kept in fp32.%4$s

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
      <li>State of a key/value head: %s, whatever the context length
      <li>Attention form: %s FLOPs per token and head for each token of context
      <li>Chunked form: %s FLOPs per token and head, in chunks of %s tokens
      <li>The chunked form takes fewer FLOPs from %s tokens on
    </ul>

    <p>Safe for many threads.
    """
        .formatted(
            grouped(spec.featureDim()),
            bytes(spec.stateBytes()),
            grouped(Math.round(spec.attentionFlopsPerToken(1))),
            grouped(Math.round(spec.chunkedFlopsPerToken())),
            grouped(spec.chunk()),
            grouped(spec.crossoverTokens()));
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
