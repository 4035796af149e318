package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class DoctorTest {
  @Test
  void withoutADriverItTestsTheCpuAndSaysWhatToInstall() {
    assumeFalse(
        Files.exists(Path.of("/proc/driver/nvidia/version")), "this machine has an NVIDIA driver");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    int status = Doctor.run(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    String printed = bytes.toString(StandardCharsets.UTF_8);
    assertThat(status).isEqualTo(1);
    assertThat(printed).containsMatch("library +\\d+\\.\\d+\\.\\d+");
    assertThat(printed).containsMatch("CPU +self-test passed: relative error \\d\\.\\de-0[678]");
    assertThat(printed).containsMatch("NVRTC +12\\.9 from /.*libnvrtc\\.so\\.12");
    assertThat(printed).containsMatch("cache +/.*/kernels: \\d+ kernels, .* of at most 512 MiB");
    assertThat(printed).containsMatch("driver +cannot be used");
    assertThat(printed).contains("To fix:\n- driver: no NVIDIA driver was found");
  }
}
