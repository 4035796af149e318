package org.powerattention.processor.plan;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

final class KernelPlanTest {
  /** Dynamic shared memory of a block on consumer GPUs from Ampere on. */
  private static final int SHARED_BYTES = 99 * 1024;

  /** Every spec there can be, at the chunks that plans tell apart: odd and even multiples of 64. */
  static List<KernelSpec> specs() {
    List<KernelSpec> specs = new ArrayList<>();
    for (int degree = 1; degree <= 4; degree++) {
      for (int headDim = 16; headDim <= 128; headDim += 16) {
        for (boolean normalized : new boolean[] {false, true}) {
          if ((degree % 2 == 1 && normalized)
              || KernelSpec.stateBytes(degree, headDim, normalized) > KernelSpec.MAX_STATE_BYTES) {
            continue;
          }
          for (DType dtype : DType.values()) {
            for (boolean gated : new boolean[] {false, true}) {
              for (int chunk : new int[] {64, 192, 1024}) {
                specs.add(new KernelSpec(degree, headDim, chunk, dtype, gated, normalized));
              }
            }
          }
        }
      }
    }
    return specs;
  }

  private static ForwardSizes forward(KernelPlan plan) {
    return (ForwardSizes) plan.sizes();
  }

  private static Map<String, Long> constants(KernelPlan plan) {
    Map<String, Long> constants = new HashMap<>();
    for (Constant constant : plan.constants()) {
      assertThat(constants.put(constant.name(), constant.value())).isNull();
    }
    return constants;
  }

  @Test
  void launchesAreWithinWhatEveryGpuFromAmpereOnCanDo() {
    for (KernelSpec spec : specs()) {
      ForwardSizes sizes = forward(KernelPlan.of(spec, Part.FORWARD, Family.SM_80));
      assertWithMessage("%s", spec).that(sizes.outputSharedBytes()).isAtMost(SHARED_BYTES);
      assertWithMessage("%s", spec).that(sizes.stateSharedBytes()).isAtMost(SHARED_BYTES);
      for (int threads : new int[] {sizes.outputThreads(), sizes.stateThreads()}) {
        assertWithMessage("%s", spec).that(threads % 32).isEqualTo(0);
        assertWithMessage("%s", spec).that(threads).isAtLeast(32);
        assertWithMessage("%s", spec).that(threads).isAtMost(1024);
      }
    }
  }

  @Test
  void launchesOfTheBackwardPassAreWithinThatTooOnTheOldestFamily() {
    for (KernelSpec spec : specs()) {
      BackwardSizes back = (BackwardSizes) KernelPlan.of(spec, Part.BACKWARD, Family.SM_80).sizes();
      assertWithMessage("%s", spec).that(back.stateSharedBytes()).isAtMost(SHARED_BYTES);
      assertWithMessage("%s", spec).that(back.querySharedBytes()).isAtMost(SHARED_BYTES);
      assertWithMessage("%s", spec).that(back.keySharedBytes()).isAtMost(SHARED_BYTES);
      for (int threads : new int[] {back.stateThreads(), back.queryThreads(), back.keyThreads()}) {
        assertWithMessage("%s", spec).that(threads % 32).isEqualTo(0);
        assertWithMessage("%s", spec).that(threads).isAtLeast(32);
        assertWithMessage("%s", spec).that(threads).isAtMost(1024);
      }
    }
  }

  @Test
  void chunksAreWholeOutputBlocks() {
    for (KernelSpec spec : specs()) {
      ForwardSizes sizes = forward(KernelPlan.of(spec, Part.FORWARD, Family.SM_80));
      assertWithMessage("%s", spec).that(spec.chunk() % sizes.outputRows()).isEqualTo(0);
    }
  }

  /** Whichever family's kernels leave a snapshot, the backward kernels read it. */
  @Test
  void snapshotsHoldAllFeaturesInWholeSlabs() {
    for (KernelSpec spec : specs()) {
      boolean bf16 = spec.dtype() == DType.BF16;
      long features = bf16 ? (spec.featureDim() + 63) / 64 * 64 : spec.featureDim();
      int z = spec.normalized() ? 1 : 0;
      long state = features * (bf16 ? (spec.headDim() + 8 * z) * 2 : (spec.headDim() + z) * 4);
      long gradient = bf16 ? features * spec.headDim() * 2 + spec.featureDim() * 4L * z : state;
      for (Family family : Family.values()) {
        ForwardSizes forward = forward(KernelPlan.of(spec, Part.FORWARD, family));
        KernelPlan plan = KernelPlan.of(spec, Part.BACKWARD, family);
        assertWithMessage("%s", spec).that(forward.snapshotBytes()).isEqualTo(state);
        assertThat(constants(plan).get("kStateBytes")).isEqualTo(state);
        assertThat(((BackwardSizes) plan.sizes()).snapshotBytes()).isEqualTo(gradient);
        // Words of 16 bytes are moved.
        assertThat(state % 16).isEqualTo(0);
        assertThat(gradient % 16).isEqualTo(0);
      }
      assertThat(KernelPlan.snapshotBytes(spec)).isEqualTo(state);
      long apart = bf16 ? spec.featureDim() * 4L * z : 0;
      assertThat(KernelPlan.keptStateBytes(spec)).isEqualTo(spec.degree() > 2 ? 0 : state + apart);
    }
  }

  @Test
  void warpsOfAStateBlockShareItsFeaturesEvenly() {
    for (KernelSpec spec : specs()) {
      if (spec.dtype() != DType.FP32) {
        KernelPlan plan = KernelPlan.of(spec, Part.FORWARD, Family.SM_80);
        ForwardSizes sizes = forward(plan);
        assertWithMessage("%s", spec)
            .that((long) sizes.stateFeatures())
            .isEqualTo(sizes.stateThreads() / 32 * constants(plan).get("kWarpBlocks") * 16);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void constantsSayWhatTheLauncherSays(Family family) {
    for (KernelSpec spec : specs()) {
      KernelPlan plan = KernelPlan.of(spec, Part.FORWARD, family);
      Map<String, Long> constants = constants(plan);
      ForwardSizes sizes = forward(plan);
      assertThat(constants)
          .containsAtLeast(
              "kDegree", (long) spec.degree(),
              "kHeadDim", (long) spec.headDim(),
              "kFeatures", (long) spec.featureDim(),
              "kTileSize", (long) spec.featureMap().tile(),
              "kTiles", (long) spec.headDim() / spec.featureMap().tile());
      assertThat(constants)
          .containsAtLeast(
              "kOutputRows", (long) sizes.outputRows(),
              "kOutputThreads", (long) sizes.outputThreads(),
              "kOutputSharedBytes", (long) sizes.outputSharedBytes(),
              "kStateFeatures", (long) sizes.stateFeatures(),
              "kStateThreads", (long) sizes.stateThreads(),
              "kStateSharedBytes", (long) sizes.stateSharedBytes(),
              "kSnapshotBytes", sizes.snapshotBytes());
    }
  }

  static Family[] families() {
    return Family.values();
  }

  @Test
  void gradientsOfDegree2InBf16AreForWgmmaOnHopper() {
    for (KernelSpec spec : specs()) {
      boolean expected = spec.degree() == 2 && spec.dtype() == DType.BF16;
      KernelPlan plan = KernelPlan.of(spec, Part.BACKWARD, Family.SM_90A);
      BackwardSizes sizes = (BackwardSizes) plan.sizes();
      assertWithMessage("%s", spec).that(plan.symbols().get("WGMMA")).isEqualTo(expected ? 1 : 0);
      assertWithMessage("%s", spec).that(sizes.byWarpgroups()).isEqualTo(expected);
      assertThat(KernelPlan.of(spec, Part.BACKWARD, Family.SM_80).symbols())
          .containsEntry("WGMMA", 0);
      if (expected) {
        Map<String, Long> constants = constants(plan);
        long blocks = constants.get("kGradientBlocks");
        assertWithMessage("%s", spec)
            .that(blocks * (sizes.querySharedBytes() + 1024))
            .isAtMost(228 << 10);
        assertWithMessage("%s", spec)
            .that(sizes.keySharedBytes())
            .isEqualTo(sizes.querySharedBytes());
        assertWithMessage("%s", spec).that(constants.get("kSlots")).isAtLeast(4);
        assertWithMessage("%s", spec).that(spec.headDim() % constants.get("kStrip")).isEqualTo(0);
      }
    }
  }

  @Test
  void symbolsAreThoseOfTheSpec() {
    KernelSpec spec = new KernelSpec(3, 64, 1024, DType.FP16, true, false);
    assertThat(KernelPlan.of(spec, Part.FORWARD, Family.SM_90A).symbols())
        .containsExactly(
            "DEGREE",
            3,
            "BF16",
            0,
            "FP16",
            1,
            "FP32",
            0,
            "GATED",
            1,
            "NORMALIZED",
            0,
            "SM90",
            1,
            "WGMMA",
            0,
            "STRIP",
            64);
    assertThat(KernelPlan.of(spec, Part.FORWARD, Family.SM_80).symbols()).containsEntry("SM90", 0);
  }

  @Test
  void familiesAreNamedAsCompilersTakeThem() {
    assertThat(Family.SM_80.architecture()).isEqualTo("sm_80");
    assertThat(Family.SM_90A.architecture()).isEqualTo("sm_90a");
  }
}
