package org.powerattention.processor.write;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.plan.Family;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.plan.Part;
import org.powerattention.processor.validate.Operator;

/** The sources of all specs that the pieces tell apart, without a CUDA compiler. */
final class KernelSourcesTest {
  private static final String KERNELS = "/org/powerattention/processor/kernels/";
  private static final Pattern COMMENT = Pattern.compile("//.*");
  private static final Pattern ENTRY =
      Pattern.compile(
          "extern \"C\" __global__\\s*(?:__launch_bounds__\\([^)]*\\))?\\s*void (\\w+)");
  private static final Pattern ARGUMENTS = Pattern.compile("struct \\w*Arguments \\{[^}]*};");
  private static final Pattern DEFINITION =
      Pattern.compile(
          "constexpr [\\w ]+ (k[A-Z]\\w*)(?: = |\\[)|[<,] ?(?:bool|int) (k\\w+)(?=[>,])");

  private static final List<Composed> SOURCES = composeAll();

  /** A source, whole and without its comments. */
  private record Composed(KernelPlan plan, String text, String code) {
    static Composed of(KernelPlan plan) {
      Operator operator = new Operator("p", "Layer", "p.Layer", true, plan.spec());
      String text = new CudaSource(KERNELS).compose(operator, plan);
      return new Composed(plan, text, COMMENT.matcher(text).replaceAll(""));
    }

    KernelSpec spec() {
      return plan.spec();
    }

    @Override
    public String toString() {
      return plan.part() + " " + plan.family() + " " + spec();
    }
  }

  static Stream<Composed> sources() {
    return SOURCES.stream();
  }

  private static List<Composed> composeAll() {
    List<Composed> sources = new ArrayList<>();
    for (int degree = 1; degree <= 4; degree++) {
      for (DType dtype : DType.values()) {
        for (int flags = 0; flags < 4; flags++) {
          boolean normalized = flags / 2 == 1;
          if (normalized && degree % 2 != 0) {
            continue;
          }
          KernelSpec spec = new KernelSpec(degree, 64, 1024, dtype, flags % 2 == 1, normalized);
          for (KernelPlan plan : KernelPlan.all(spec)) {
            sources.add(Composed.of(plan));
          }
        }
      }
    }
    return sources;
  }

  @ParameterizedTest
  @MethodSource("sources")
  void sourceSaysWhatItIsForAndIsCleanlyLaidOut(Composed source) {
    assertThat(source.text()).contains("\n// for " + source.plan().family().architecture());
    assertThat(source.text()).endsWith("}\n");
    assertThat(source.text()).doesNotContainMatch("[\\r\\t]| \n|\n\n\n");
    for (String pair : List.of("{}", "()", "[]")) {
      assertWithMessage(pair)
          .that(source.code().chars().filter(c -> c == pair.charAt(0)).count())
          .isEqualTo(source.code().chars().filter(c -> c == pair.charAt(1)).count());
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void nothingIsLeftForThePreprocessor(Composed source) {
    source
        .text()
        .lines()
        .filter(line -> line.stripLeading().startsWith("#"))
        .forEach(line -> assertThat(line.strip()).startsWith("#pragma unroll"));
    assertThat(source.code())
        .doesNotContainMatch("\\b(" + String.join("|", source.plan().symbols().keySet()) + ")\\b");
  }

  @ParameterizedTest
  @MethodSource("sources")
  void kernelsAreThoseThatTheSpecNeeds(Composed source) {
    boolean gated = source.spec().gated();
    List<String> kernels = new ArrayList<>();
    switch (source.plan().part()) {
      case FORWARD -> {
        kernels.addAll(List.of("state_pass", "join_segments", "output_pass", "attention"));
        kernels.addAll(List.of("joint_rows", "joint_sums", "joint_tokens"));
        kernels.addAll(gated ? List.of("gate_sum") : List.of());
      }
      case BACKWARD -> {
        boolean wgmma = source.plan().symbols().get("WGMMA") != 0;
        kernels.addAll(List.of("state_gradient_walk", "join_gradients"));
        kernels.addAll(List.of("joint_gradient", "joint_queries", "joint_keys"));
        kernels.addAll(List.of("joint_values", "joint_sums"));
        kernels.addAll(List.of("query_gradients", "key_gradients"));
        kernels.addAll(wgmma ? List.of("value_gradients") : List.of());
        kernels.addAll(gated ? List.of("gate_sum", "gate_totals", "gate_gradients") : List.of());
        kernels.addAll(source.spec().normalized() ? List.of("row_terms") : List.of());
      }
      case SERVING -> {
        kernels.addAll(List.of("decode_rows_1", "decode_rows_4", "decode_rows_8"));
        kernels.addAll(List.of("fold_window", "window_join", "window_store"));
      }
    }
    assertThat(ENTRY.matcher(source.code()).results().map(match -> match.group(1)).toList())
        .containsExactlyElementsIn(kernels);
  }

  @ParameterizedTest
  @MethodSource("sources")
  void gatesAreInGatedSourcesOnly(Composed source) {
    // The arguments are the same for all sources of a part, so that the runtime knows one layout.
    String uses = ARGUMENTS.matcher(source.code()).replaceFirst("");
    assertThat(uses).isNotEqualTo(source.code());
    String sums = source.plan().part() == Part.SERVING ? "sum_gates" : "gate_sum";
    for (String use : List.of("log_gate", sums, "gate_strides", "\\b_*expf?\\(")) {
      assertWithMessage(use)
          .that(Pattern.compile(use).matcher(uses).find())
          .isEqualTo(source.spec().gated());
    }
  }

  /** Those that compute y; the backward pass takes a scale of 1 where y is normalised. */
  static Stream<Composed> sourcesOfOutputs() {
    return sources().filter(source -> source.plan().part() != Part.BACKWARD);
  }

  @ParameterizedTest
  @MethodSource("sourcesOfOutputs")
  void unnormalizedSourcesScaleAndTheOthersDivide(Composed source) {
    assertThat(Pattern.compile("\\(float\\)(args\\.)?output_scale").matcher(source.code()).find())
        .isEqualTo(!source.spec().normalized());
  }

  @ParameterizedTest
  @MethodSource("sources")
  void everyConstantIsDefinedOnceAndNoneIsMissing(Composed source) {
    String code = source.code();
    assertThat(code).contains("constexpr int kFeatures = " + source.spec().featureDim() + ";");
    List<String> defined = new ArrayList<>();
    List<String> parameters = new ArrayList<>();
    Matcher definition = DEFINITION.matcher(code);
    while (definition.find()) {
      if (definition.group(1) != null) {
        defined.add(definition.group(1));
      } else {
        parameters.add(definition.group(2));
      }
    }
    assertThat(defined).containsNoDuplicates();
    defined.addAll(parameters);
    assertThat(defined)
        .containsAtLeastElementsIn(
            Pattern.compile("\\bk[A-Z]\\w*\\b")
                .matcher(code)
                .results()
                .map(use -> use.group())
                .distinct()
                .toList());
  }

  @Test
  void standInConstantsForEditorsAreThoseOfTheirSpec() throws IOException {
    String standIn;
    try (InputStream stream = CudaSource.class.getResourceAsStream(KERNELS + "spec.cuh")) {
      standIn = new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
    KernelPlan plan =
        KernelPlan.of(
            new KernelSpec(2, 64, 1024, DType.BF16, true, true), Part.FORWARD, Family.SM_80);
    assertThat(standIn.lines().filter(line -> line.startsWith("constexpr")).toList())
        .containsExactlyElementsIn(
            plan.constants().stream()
                .map(c -> "constexpr " + c.type() + " " + c.name() + " = " + c.value() + ";")
                .toList());
    plan.symbols()
        .forEach(
            (symbol, value) ->
                assertThat(standIn).contains("#define " + symbol + " " + value + "\n"));
  }
}
