package org.powerattention.processor.write;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.plan.Constant;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.validate.Operator;

/**
 * Composes the CUDA source of an operator for one architecture family: a head that says what it was
 * generated from, the constants of the plan, and the pieces that the spec needs. It is
 * self-contained, and the same operator and plan give the same text.
 */
public final class CudaSource {
  /** The file that all sources start from. */
  private static final String MAIN = "power_attention.cu";

  /** The file in whose place the constants are written. */
  private static final String SPEC = "spec.cuh";

  private static final Pattern BLANK_RUN = Pattern.compile("\n{3,}");

  private final String root;

  /**
   * Creates a composer.
   *
   * @param root absolute name of the resource folder that holds the pieces, ending in a slash
   */
  public CudaSource(String root) {
    this.root = root;
  }

  /**
   * Returns the source of an operator.
   *
   * @throws IllegalStateException if a piece is missing or malformed; the message names the file
   */
  public String compose(Operator operator, KernelPlan plan) {
    Map<String, String> generated = Map.of(SPEC, constants(plan.constants()));
    String pieces = new Pieces(root, plan.symbols(), generated).join(MAIN);
    return head(operator, plan) + "\n" + withoutBlankRuns(pieces);
  }

  private static String head(Operator operator, KernelPlan plan) {
    return """
    // Power attention for %s. Generated; do not edit.
    //
    // Architecture family: %s
    // Declared by: %s
    """
        .formatted(
            operator.qualifiedLauncherName(), plan.family().architecture(), declared(operator));
  }

  private static String declared(Operator operator) {
    KernelSpec spec = operator.spec();
    return """
    @PowerAttention(
    //     degree = %d, headDim = %d, chunk = %d, dtype = %s, gated = %b, normalized = %b)
    //     on %s\
    """
        .formatted(
            spec.degree(),
            spec.headDim(),
            spec.chunk(),
            spec.dtype(),
            spec.gated(),
            spec.normalized(),
            operator.typeName());
  }

  private static String constants(List<Constant> constants) {
    List<String> definitions =
        constants.stream()
            .map(c -> "constexpr " + c.type() + " " + c.name() + " = " + c.value() + ";")
            .toList();
    int width = definitions.stream().mapToInt(String::length).max().orElse(0);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < definitions.size(); i++) {
      String definition = definitions.get(i);
      text.append(definition)
          .append(" ".repeat(width - definition.length()))
          .append("  // ")
          .append(constants.get(i).comment())
          .append('\n');
    }
    return text.toString();
  }

  /** Drops blank lines at both ends and all but one of several in a row. */
  private static String withoutBlankRuns(String text) {
    return BLANK_RUN.matcher(text.strip()).replaceAll("\n\n") + "\n";
  }
}
