package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;

import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.runtime.Accelerator;

/**
 * On the CPU it does not matter how a sequence is split into calls.
 *
 * <p>Larger states only take longer; {@link EquivalenceGpuTest} has them all.
 */
class EquivalenceTest {
  /** Several folds of the window. */
  private static final int TOKENS = 210;

  private static final long MOST_STATE_BYTES = 400 << 10;

  private static Accelerator device;

  static List<TestOperator> operators() {
    return TestOperator.all().stream()
        .filter(operator -> operator.spec().stateBytes() <= MOST_STATE_BYTES)
        .toList();
  }

  @BeforeAll
  static void open() {
    device = Accelerator.cpu();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  void anySplitIntoCallsGivesTheFormula(TestOperator operator) {
    try (LoadedOperator loaded = operator.on(device)) {
      List<Measurement> measured = new EquivalenceCheck(device, loaded, TOKENS).run();
      assertThat(measured.stream().filter(m -> !m.fits()).toList()).isEmpty();
    }
  }

  @AfterAll
  static void close() {
    device.close();
  }
}
