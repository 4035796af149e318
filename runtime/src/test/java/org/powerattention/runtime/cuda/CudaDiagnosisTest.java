package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Over a fake driver, which computes nothing. */
final class CudaDiagnosisTest {
  private final FakeCuda cuda = new FakeCuda();
  private final List<String> found = new ArrayList<>();
  private final List<String> fixes = new ArrayList<>();

  private void run() {
    found.clear();
    fixes.clear();
    new CudaDiagnosis(
            cuda.environment(), (subject, what) -> found.add(subject + ": " + what), fixes::add)
        .run();
    assertThat(cuda.open).isEmpty();
  }

  @Test
  void aDeviceIsDescribedAndOneThatComputesWrongNumbersIsFoundOut() {
    run();
    assertThat(found).contains("NVRTC: 12.0 from /fake/libnvrtc.so.12");
    assertThat(found).contains("driver: for CUDA 12.8");
    assertThat(found)
        .contains(
            "GPU 0: Fake GPU, compute capability 9.0, 4 multiprocessors, 81920 MiB; families:"
                + " sm_90a, sm_80");
    assertThat(found).contains("GPU 0: SELF-TEST FAILED: wrong numbers");
    assertThat(fixes.toString()).contains("GPU 0 computes wrong numbers");
  }

  @Test
  void oneThatComputesTheRightNumbersPasses() {
    cuda.selfTestWorks = true;
    run();
    assertThat(found.toString()).contains("GPU 0: self-test passed in ");
    assertThat(fixes.stream().filter(fix -> fix.startsWith("GPU")).toList()).isEmpty();
  }

  @Test
  void everyDeviceIsTested() {
    cuda.devices = 3;
    run();
    assertThat(found.stream().filter(line -> line.contains("SELF-TEST")).toList()).hasSize(3);
  }

  @Test
  void whatDoesNotWorkIsFixedByTheWordsOfItsFailure() {
    cuda.failures.put("cuLaunchKernel", 701);
    run();
    assertThat(fixes.toString()).contains("GPU 0: cuLaunchKernel failed on kernel self_test of");
    cuda.failures.clear();
    cuda.capability = 75;
    run();
    assertThat(found.toString()).contains("compute capability 7.5");
    assertThat(found.toString()).contains("families: none");
    assertThat(fixes.toString()).contains("is too old");
    cuda.driverVersion = 11_080;
    run();
    assertThat(found).contains("driver: cannot be used");
    assertThat(fixes.toString()).contains("supports CUDA 11.8; needed: 12.0");
    cuda.nvrtcMajor = 11;
    run();
    assertThat(found).contains("NVRTC: not found");
    assertThat(fixes.toString()).contains("needed: 12.0 or later");
  }

  @Test
  void withoutACompilerADeviceIsStillDescribed() {
    cuda.nvrtcMajor = 11;
    run();
    assertThat(found.toString()).contains("GPU 0: Fake GPU, compute capability 9.0");
    assertThat(found).contains("GPU 0: not tested, which takes NVRTC");
    assertThat(fixes.stream().filter(fix -> fix.startsWith("GPU")).toList()).isEmpty();
  }

  @Test
  void aCacheThatCannotBeWrittenIsReportedWithTheSettings() {
    run(); // the fake's is below /proc
    assertThat(found.toString()).contains("cache: /proc/none cannot be used");
    assertThat(fixes.toString()).contains("-Dpowerattention.cache or POWERATTENTION_CACHE");
  }
}
