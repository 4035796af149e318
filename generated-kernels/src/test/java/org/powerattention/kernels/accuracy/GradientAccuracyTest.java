package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.runtime.Accelerator;

/**
 * Every generated operator's gradients are those of the formula on the CPU, within its dtype's
 * error; but for those with large states, which take a GPU.
 */
class GradientAccuracyTest {
  private static final int MOST_TOKENS = 290;
  private static final long MOST_STATE_BYTES = 5 << 20;

  private static final Measurements MEASUREMENTS = new Measurements("cpu-gradients");

  static List<TestOperator> operators() {
    return TestOperator.all().stream()
        .filter(operator -> operator.spec().stateBytes() <= MOST_STATE_BYTES)
        .filter(operator -> operator.spec().chunk() <= 512)
        .toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  void gradientsAreThoseOfTheFormula(TestOperator operator) {
    try (Accelerator cpu = Accelerator.cpu();
        LoadedOperator loaded = operator.on(cpu)) {
      List<Measurement> measured = new GradientCheck(cpu, loaded, MOST_TOKENS).run();
      MEASUREMENTS.add(measured);
      assertThat(measured.stream().filter(m -> !m.fits()).toList()).isEmpty();
    }
  }

  @AfterAll
  static void report() throws IOException {
    MEASUREMENTS.report();
  }
}
