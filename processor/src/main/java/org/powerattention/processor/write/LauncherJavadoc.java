package org.powerattention.processor.write;

import com.palantir.javapoet.CodeBlock;
import java.util.Locale;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.validate.Operator;

/** The Javadoc of a launcher class: the formula, the shapes, and what the spec costs. */
final class LauncherJavadoc {
  private LauncherJavadoc() {}

  static CodeBlock of(Operator operator) {
    KernelSpec spec = operator.spec();
    int d = spec.headDim();
    CodeBlock.Builder doc = CodeBlock.builder();
    doc.add("Power attention as declared on {@code $L}:\n\n", operator.typeName());
    doc.add("<pre>\n");
    if (spec.gated()) {
      doc.add("G_i  = sum_{m &lt;= i} logG_m\n");
    }
    doc.add(
        "w_ij = $L$L,   j &lt;= i\n",
        spec.degree() == 1
            ? "scale * &lt;q_i, k_j&gt;"
            : "(scale * &lt;q_i, k_j&gt;)^" + spec.degree(),
        spec.gated() ? " * exp(G_i - G_j)" : "");
    doc.add("y_i  = sum_j w_ij v_j$L\n", spec.normalized() ? " / sum_j w_ij" : "");
    doc.add("</pre>\n\n");
    doc.add(
        """
        (arXiv 2507.04239), for q and y [b, t, hq, $L], k and v [b, t, h, $L] in $L$L; query head r
        reads key/value head r / (hq / h). The scale is 1/sqrt($L) unless given.$L

        """,
        d,
        d,
        spec.dtype(),
        spec.gated() ? ", logG [b, t, h] in FP32" : "",
        d,
        spec.normalized() ? " Where the sum of weights is 0, y is 0." : "");
    doc.add("<ul>\n");
    doc.add(
        "  <li>State: D = $L features; $L per key/value head, whatever the number of tokens.\n",
        String.format(Locale.ROOT, "%,d", spec.featureDim()),
        bytes(spec.stateBytes()));
    doc.add(
        "  <li>FLOPs per token and head: $L t in attention form, $L in chunked form (chunks of"
            + " $L).\n",
        flops(spec.attentionFlopsPerToken(1)),
        flops(spec.chunkedFlopsPerToken()),
        spec.chunk());
    doc.add(
        "  <li>The chunked form takes fewer from $L tokens on.\n",
        String.format(Locale.ROOT, "%,d", spec.crossoverTokens()));
    doc.add("</ul>\n\n");
    doc.add("Safe for many threads. Generated; changes are made at the declaration.\n");
    return doc.build();
  }

  private static String bytes(long bytes) {
    if (bytes < 1 << 20) {
      return String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0);
    }
    return String.format(Locale.ROOT, "%.1f MiB", bytes / (1024.0 * 1024));
  }

  private static String flops(double flops) {
    if (flops < 10_000) {
      return String.format(Locale.ROOT, "%.0f", flops);
    }
    if (flops < 1e6) {
      return String.format(Locale.ROOT, "%.0f thousand", flops / 1e3);
    }
    return String.format(Locale.ROOT, "%.2f million", flops / 1e6);
  }
}
