package org.powerattention.examples.benchmarks;

import static com.google.common.truth.Truth.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;

/** The CPU's y is another evaluation of the formula, rounded to the operator's dtype. */
final class SampledErrorTest {
  @ParameterizedTest
  @EnumSource(
      value = Operator.class,
      names = {"POWER_1_DIM_64", "POWER_2_DIM_32", "POWER_2_DIM_64_FP32"})
  void yOfTheCpuIsAsFarFromTheFormulaAsItsRounding(Operator operator) {
    Case timed = new Case(operator, Form.ATTENTION, 2, 70, 2);
    try (Accelerator cpu = Accelerator.cpu();
        Timer.Inputs inputs = Timer.Inputs.random(cpu, timed, new Random(1))) {
      Operator.Loaded loaded = operator.on(cpu);
      loaded
          .forward()
          .into(
              inputs.y(),
              inputs.q(),
              inputs.k(),
              inputs.v(),
              inputs.logG(),
              ForwardOptions.defaults().form(Form.ATTENTION));
      double error = SampledError.of(timed.spec(), inputs);
      double rounding =
          switch (timed.spec().dtype()) {
            case BF16 -> 0x1p-8;
            case FP16 -> 0x1p-11;
            case FP32 -> 0x1p-20;
          };
      assertThat(error).isGreaterThan(rounding / 64);
      assertThat(error).isLessThan(rounding);
      loaded.close();
    }
  }
}
