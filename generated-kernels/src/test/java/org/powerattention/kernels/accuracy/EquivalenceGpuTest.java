package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.util.List;
import java.util.Objects;
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

/** On a GPU it does not matter how a sequence is split into calls. Prints the errors. */
@Tag("gpu")
class EquivalenceGpuTest {
  private static final int TOKENS = 300;
  private static final Measurements MEASUREMENTS = new Measurements("cuda-serving");
  private static @Nullable Accelerator opened;

  static List<TestOperator> operators() {
    return TestOperator.all();
  }

  @BeforeAll
  static void open() {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    opened = Accelerator.cuda(0);
  }

  @Execution(ExecutionMode.CONCURRENT)
  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  void anySplitIntoCallsGivesTheFormula(TestOperator operator) {
    Accelerator device = Objects.requireNonNull(opened);
    try (LoadedOperator loaded = operator.on(device)) {
      List<Measurement> measured = new EquivalenceCheck(device, loaded, TOKENS).run();
      MEASUREMENTS.add(measured);
      assertThat(measured.stream().filter(m -> !m.fits()).toList()).isEmpty();
    }
  }

  @AfterAll
  static void close() throws IOException {
    if (opened != null) {
      opened.close();
      MEASUREMENTS.report();
    }
  }
}
