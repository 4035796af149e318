package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.powerattention.runtime.CompilationException;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.KernelImage;

final class TargetTest {
  private static final ForwardTiling TILING = new ForwardTiling(64, 128, 0, 64, 128, 0, 0, false);
  private static final KernelImage<ForwardTiling> SM_80 =
      new KernelImage<>("sm_80", "/a.cu", TILING);
  private static final KernelImage<ForwardTiling> SM_90A =
      new KernelImage<>("sm_90a", "/b.cu", TILING);
  private static final List<KernelImage<ForwardTiling>> BOTH = List.of(SM_80, SM_90A);

  /** As NVRTC 12.9 reports. */
  private static final List<Integer> NVRTC_12_9 =
      List.of(50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 120, 121);

  private static final List<Integer> NVRTC_12_0 =
      List.of(50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90);

  @ParameterizedTest
  @CsvSource({
    "80, sm_80, sm_80", // A100
    "86, sm_80, sm_86",
    "89, sm_80, sm_89",
    "90, sm_90a, sm_90a", // H200
    "100, sm_80, sm_100", // sm_90a code runs on 9.0 alone
    "120, sm_80, sm_120",
  })
  void theNewestFamilyBecomesMachineCode(int capability, String family, String architecture) {
    Target.Choice<ForwardTiling> choice = Target.choose(BOTH, capability, NVRTC_12_9);
    assertThat(choice.image().family()).isEqualTo(family);
    assertThat(choice.target()).isEqualTo(new Target(architecture, true));
  }

  @Test
  void aDeviceThatTheCompilerDoesNotKnowGetsPtxOfTheNearestLowerArchitecture() {
    Target.Choice<ForwardTiling> choice = Target.choose(BOTH, 103, NVRTC_12_0);
    assertThat(choice.image()).isEqualTo(SM_80);
    assertThat(choice.target()).isEqualTo(new Target("compute_90", false));
    assertThat(Target.choose(BOTH, 88, NVRTC_12_9).target())
        .isEqualTo(new Target("compute_87", false));
  }

  @Test
  void aHopperWithoutItsOwnFamilyRunsTheOlderOne() {
    assertThat(Target.choose(List.of(SM_80), 90, NVRTC_12_9).target())
        .isEqualTo(new Target("sm_90", true));
    Target.Choice<ForwardTiling> choice = Target.choose(BOTH, 90, List.of(70, 80, 86));
    assertThat(choice.image()).isEqualTo(SM_80);
    assertThat(choice.target()).isEqualTo(new Target("compute_86", false));
  }

  @Test
  void anOldDeviceAndAnOldCompilerAreToldApart() {
    CompilationException device =
        assertThrows(CompilationException.class, () -> Target.choose(BOTH, 75, NVRTC_12_9));
    assertThat(device).hasMessageThat().contains("compute capability 7.5");
    assertThat(device).hasMessageThat().contains("Accelerator.cpu()");
    CompilationException compiler =
        assertThrows(CompilationException.class, () -> Target.choose(BOTH, 80, List.of(70, 75)));
    assertThat(compiler).hasMessageThat().contains("newer NVRTC");
  }

  @Test
  void theNewestFamilyCanBeChosen() {
    assertThat(Target.upTo(BOTH, null)).isEqualTo(BOTH);
    assertThat(Target.upTo(BOTH, "sm_90a")).isEqualTo(BOTH);
    assertThat(Target.upTo(BOTH, "sm_80")).containsExactly(SM_80);
    assertThat(Target.upTo(List.of(SM_80), "sm_90a")).containsExactly(SM_80);
    IllegalArgumentException unknown =
        assertThrows(IllegalArgumentException.class, () -> Target.upTo(BOTH, "sm_90"));
    assertThat(unknown)
        .hasMessageThat()
        .isEqualTo(
            "powerattention.family is sm_90, and sources are for sm_80, sm_90a: name one of these,"
                + " or leave the property out");
  }

  @Test
  void theOptionsNameTheArchitecture() {
    assertThat(new Target("sm_90a", true).options()).contains("--gpu-architecture=sm_90a");
  }
}
