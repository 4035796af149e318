package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;

import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;

/** NaN, infinity and overflow stay in the sequence and head that they are in. */
class WildNumbersTest {
  private static final long MOST_STATE_BYTES = 64 << 20;

  /** On the CPU, all have the same code, which its own tests try with random sizes, too. */
  static List<TestOperator> small() {
    return TestOperator.all().stream()
        .filter(operator -> operator.name().matches("P[12]D32Bf16"))
        .toList();
  }

  static List<TestOperator> all() {
    return TestOperator.all().stream()
        .filter(operator -> operator.spec().stateBytes() <= MOST_STATE_BYTES)
        .toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("small")
  void onTheCpu(TestOperator operator) {
    try (Accelerator cpu = Accelerator.cpu()) {
      check(cpu, operator);
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("all")
  @Tag("gpu")
  @Execution(ExecutionMode.CONCURRENT)
  void onAGpu(TestOperator operator) {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    try (Accelerator gpu = Accelerator.cuda(0)) {
      check(gpu, operator);
    }
  }

  private static void check(Accelerator device, TestOperator operator) {
    try (LoadedOperator loaded = operator.on(device)) {
      for (Form form : List.of(Form.ATTENTION, Form.CHUNKED)) {
        assertThat(new WildNumbersCheck(device, loaded).run(form)).isGreaterThan(0);
      }
    }
  }
}
