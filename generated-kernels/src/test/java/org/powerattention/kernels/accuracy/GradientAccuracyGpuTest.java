package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.runtime.Accelerator;

/**
 * Every generated operator's gradients are those of the formula on a GPU, within its dtype's error.
 */
@Tag("gpu")
class GradientAccuracyGpuTest {
  private static final int MOST_TOKENS = 1_100;

  private static final Measurements MEASUREMENTS = new Measurements("cuda-gradients");
  private static @Nullable Accelerator device;

  static List<TestOperator> operators() {
    return TestOperator.all();
  }

  @BeforeAll
  static void open() {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    device = Accelerator.cuda(0);
  }

  @Execution(ExecutionMode.CONCURRENT)
  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  void gradientsAreThoseOfTheFormula(TestOperator operator) {
    Accelerator opened = device;
    if (opened == null) {
      throw new IllegalStateException("no device");
    }
    try (LoadedOperator loaded = operator.on(opened)) {
      List<Measurement> measured = new GradientCheck(opened, loaded, MOST_TOKENS).run();
      MEASUREMENTS.add(measured);
      assertThat(measured.stream().filter(m -> !m.fits()).toList()).isEmpty();
    }
  }

  @AfterAll
  static void close() throws IOException {
    if (device != null) {
      device.close();
      MEASUREMENTS.report();
    }
  }
}
