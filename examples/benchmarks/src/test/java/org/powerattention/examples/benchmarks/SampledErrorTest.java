package org.powerattention.examples.benchmarks;

import static com.google.common.truth.Truth.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.Tensor;

/** What the CPU computes is another evaluation of the formula, rounded to the operator's dtype. */
final class SampledErrorTest {
  @ParameterizedTest
  @EnumSource(
      value = Operator.class,
      names = {"POWER_1_DIM_64", "POWER_2_DIM_32", "POWER_2_DIM_64_FP32"})
  void theCpuIsAsFarFromTheFormulaAsItsRounding(Operator operator) {
    Case timed = new Case(operator, Form.ATTENTION, 2, 70, 2);
    Random random = new Random(1);
    try (Accelerator cpu = Accelerator.cpu();
        Operator.Loaded loaded = operator.on(cpu);
        Timer.Inputs inputs = Timer.Inputs.random(cpu, timed, random);
        Tensor dY =
            cpu.tensor(
                timed.spec().dtype(),
                Timer.Inputs.gaussians((int) inputs.y().elements(), random),
                inputs.y().shape());
        Gradients gradients =
            loaded.gradients().of(inputs.q(), inputs.k(), BackwardOptions.defaults())) {
      loaded
          .forward()
          .into(
              inputs.y(),
              inputs.q(),
              inputs.k(),
              inputs.v(),
              inputs.logG(),
              ForwardOptions.defaults().form(Form.ATTENTION));
      loaded
          .backward()
          .into(
              gradients,
              inputs.q(),
              inputs.k(),
              inputs.v(),
              inputs.logG(),
              dY,
              BackwardOptions.defaults().form(Form.ATTENTION));
      assertRounded(SampledError.ofY(timed.spec(), inputs), timed.spec().dtype());
      assertRounded(
          SampledError.ofQueryGradient(timed.spec(), inputs, dY, gradients.dQ()),
          timed.spec().dtype());
    }
  }

  private static void assertRounded(double error, DType dtype) {
    double rounding =
        switch (dtype) {
          case BF16 -> 0x1p-8;
          case FP16 -> 0x1p-11;
          case FP32 -> 0x1p-20;
        };
    assertThat(error).isGreaterThan(rounding / 64);
    assertThat(error).isLessThan(rounding);
  }
}
