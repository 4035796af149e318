package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.powerattention.runtime.CompilationException;

/** With a real NVRTC; no device is needed. */
final class NvrtcTest {
  static final String SOURCE =
      """
      struct Arguments { float* x; float factor; int count; };
      extern "C" __global__ void scale(Arguments a) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < a.count) a.x[i] = powf(a.x[i], a.factor);
      }
      """;

  private final Nvrtc nvrtc = Nvrtc.get();

  @Test
  void aKernelBecomesMachineCodeForBothFamilies() {
    for (String architecture : new String[] {"sm_80", "sm_90a"}) {
      byte[] code = nvrtc.compile(SOURCE, "scale.cu", "a test", new Target(architecture, true));
      // A cubin is an ELF file for machine 190, EM_CUDA, that names its kernels.
      assertThat(Arrays.copyOf(code, 4)).isEqualTo(new byte[] {0x7f, 'E', 'L', 'F'});
      assertThat(code[18] & 0xff).isEqualTo(190);
      assertThat(new String(code, StandardCharsets.ISO_8859_1)).contains(".text.scale");
    }
  }

  @Test
  void sm90aInstructionsNeedTheirArchitecture() {
    String source =
        "extern \"C\" __global__ void f() { asm volatile(\"wgmma.fence.sync.aligned;\"); }";
    assertThat(nvrtc.compile(source, "f.cu", "a test", new Target("sm_90a", true))).isNotEmpty();
    assertThrows(
        CompilationException.class,
        () -> nvrtc.compile(source, "f.cu", "a test", new Target("sm_80", true)));
  }

  @Test
  void ptxIsTextThatEndsInAZero() {
    byte[] ptx = nvrtc.compile(SOURCE, "scale.cu", "a test", new Target("compute_80", false));
    String text = new String(ptx, 0, ptx.length - 1, StandardCharsets.US_ASCII);
    assertThat(text).contains(".target sm_80");
    assertThat(text).contains(".entry scale");
    assertThat(text).doesNotContain("\0");
    assertThat(ptx[ptx.length - 1]).isEqualTo((byte) 0);
  }

  @Test
  void theSameSourceGivesTheSameCode() {
    Target target = new Target("sm_80", true);
    assertThat(nvrtc.compile(SOURCE, "scale.cu", "a test", target))
        .isEqualTo(nvrtc.compile(SOURCE, "scale.cu", "a test", target));
  }

  @Test
  void aRejectedSourceComesWithTheCompilersLog() {
    CompilationException failure =
        assertThrows(
            CompilationException.class,
            () ->
                nvrtc.compile(
                    "int f() { return nothing; }", "f.cu", "a test", new Target("sm_80", true)));
    assertThat(failure.log()).contains("f.cu(1): error: identifier \"nothing\" is undefined");
    assertThat(failure).hasMessageThat().contains(failure.log().strip());
    assertThat(failure)
        .hasMessageThat()
        .contains("nvrtcCompileProgram failed on a test (f.cu for sm_80)");
  }

  @Test
  void itReportsTheArchitecturesOfBothFamilies() {
    assertThat(nvrtc.architectures()).containsAtLeast(80, 90);
    assertThat(nvrtc.version()).matches("12\\.\\d+");
  }
}
