package org.powerattention.processor.write;

import static com.google.common.truth.Truth.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.plan.Family;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.validate.Operator;

/** The sources of all specs, without a CUDA compiler. */
final class KernelSourcesTest {
  /** Every combination that the pieces distinguish. */
  static Stream<KernelSpec> specs() {
    return Stream.of(1, 2, 3, 4)
        .flatMap(
            degree ->
                Stream.of(DType.values())
                    .flatMap(
                        dtype ->
                            Stream.of(
                                new KernelSpec(degree, 64, 1024, dtype, true, degree % 2 == 0),
                                new KernelSpec(degree, 64, 1024, dtype, false, degree % 2 == 0),
                                new KernelSpec(degree, 64, 1024, dtype, true, false),
                                new KernelSpec(degree, 64, 1024, dtype, false, false))))
        .distinct();
  }

  @ParameterizedTest
  @MethodSource("specs")
  void sourceIsSelfContainedAndHasOnlyWhatTheSpecUses(KernelSpec spec) {
    for (Family family : Family.values()) {
      Operator operator = new Operator("p", "Layer", "p.Layer", true, spec);
      String source =
          new CudaSource("/org/powerattention/processor/kernels/")
              .compose(operator, KernelPlan.of(spec, family));
      assertThat(source).contains("constexpr int kFeatures = " + spec.featureDim() + ";");
      assertThat(source).contains("\n// for " + family.architecture());
      assertThat(source.lines().filter(line -> line.strip().matches("#\\s*(if|el|end|inc).*")))
          .isEmpty();
      assertThat(source.contains("void gate_sum(")).isEqualTo(spec.gated());
      assertThat(source).doesNotContain("\r");
      assertThat(source).doesNotContain("\n\n\n");
      assertThat(source).endsWith("}\n");
    }
  }
}
