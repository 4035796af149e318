package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.runtime.Accelerator;

/**
 * Every generated operator computes the formula on the CPU, within its dtype's error.
 *
 * <p>The lengths and the states are limited to what a CPU does in a minute; {@link
 * ForwardAccuracyGpuTest} has them all.
 */
class ForwardAccuracyTest {
  private static final Workload WORKLOAD = new Workload(600, 2.5e9, 4 << 20);

  private static final Measurements MEASUREMENTS = new Measurements("cpu");
  private static Accelerator device;

  static List<TestOperator> operators() {
    return TestOperator.all();
  }

  @BeforeAll
  static void open() {
    device = Accelerator.cpu();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  void operatorComputesTheFormula(TestOperator operator) {
    try (LoadedOperator loaded = operator.on(device)) {
      List<Measurement> measured = new AccuracyCheck(device, loaded, WORKLOAD).run();
      MEASUREMENTS.add(measured);
      assertThat(measured.stream().filter(m -> !m.fits()).toList()).isEmpty();
    }
  }

  @AfterAll
  static void close() throws IOException {
    device.close();
    MEASUREMENTS.report();
  }
}
