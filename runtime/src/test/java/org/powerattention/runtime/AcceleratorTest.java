package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class AcceleratorTest {
  private static boolean hasDriver() {
    return Files.exists(Path.of("/proc/driver/nvidia/version"));
  }

  @Test
  void withoutADriverTheBestDeviceIsTheCpuAndTheReasonIsInWords() {
    assumeFalse(hasDriver(), "this machine has an NVIDIA driver");
    try (Accelerator device = Accelerator.best()) {
      assertThat(device.isCuda()).isFalse();
    }
    assertThat(Accelerator.cudaUnavailable().orElseThrow()).contains("libcuda.so.1");
    CudaUnavailableException failure =
        assertThrows(CudaUnavailableException.class, () -> Accelerator.cuda(0));
    assertThat(failure).hasMessageThat().contains("no NVIDIA driver was found");
    // The first failure must not turn into a NoClassDefFoundError the second time.
    CudaUnavailableException again =
        assertThrows(CudaUnavailableException.class, () -> Accelerator.cuda(0));
    assertThat(again).hasMessageThat().isEqualTo(failure.getMessage());
  }

  @Test
  void withADeviceItIsTheBest() {
    assumeTrue(hasDriver(), "this machine has no NVIDIA driver");
    assertThat(Accelerator.cudaUnavailable()).isEmpty();
    try (Accelerator device = Accelerator.best()) {
      assertThat(device.isCuda()).isTrue();
      assertThat(device.name()).startsWith("CUDA device 0 (");
    }
    assertThrows(IllegalArgumentException.class, () -> Accelerator.cuda(99));
  }
}
