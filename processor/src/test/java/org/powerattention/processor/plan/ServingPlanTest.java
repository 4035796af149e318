package org.powerattention.processor.plan;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

final class ServingPlanTest {
  /** Dynamic shared memory of a block on consumer GPUs from Ampere on. */
  private static final int SHARED_BYTES = 99 * 1024;

  private static long constant(List<Constant> constants, String name) {
    List<Constant> found = constants.stream().filter(c -> c.name().equals(name)).toList();
    assertWithMessage(name).that(found).hasSize(1);
    return found.get(0).value();
  }

  @Test
  void launchesAreWithinWhatEveryGpuFromAmpereOnCanDo() {
    for (KernelSpec spec : KernelPlanTest.specs()) {
      ServingSizes sizes = ServingPlan.of(spec, new ArrayList<>());
      assertWithMessage("%s", spec).that(sizes.decodeSharedBytes()).isAtMost(SHARED_BYTES);
      assertWithMessage("%s", spec).that(sizes.decodeThreads() % 32).isEqualTo(0);
      // Two of the kernels have a value column for each thread; 256 leave it 128 registers or more.
      assertWithMessage("%s", spec).that(sizes.decodeThreads()).isAtLeast(spec.headDim());
      assertWithMessage("%s", spec).that(sizes.decodeThreads()).isAtMost(256);
    }
  }

  @Test
  void threadsReadWholeRowsAndLanesDivideAStep() {
    for (KernelSpec spec : KernelPlanTest.specs()) {
      List<Constant> constants = new ArrayList<>();
      ServingSizes sizes = ServingPlan.of(spec, constants);
      long lanes = constant(constants, "kFeatureLanes");
      assertWithMessage("%s", spec)
          .that(lanes * spec.headDim() / 4)
          .isEqualTo((long) sizes.decodeThreads());
      assertWithMessage("%s", spec).that(sizes.decodeFeatures() % lanes).isEqualTo(0);
    }
  }

  @Test
  void stepsAreWholeTuplesOfTiles() {
    for (KernelSpec spec : KernelPlanTest.specs()) {
      if (spec.degree() > 1) {
        int step = ServingPlan.of(spec, new ArrayList<>()).decodeFeatures();
        assertWithMessage("%s", spec)
            .that(step % spec.featureMap().featuresPerTuple())
            .isEqualTo(0);
      }
    }
  }

  @Test
  void sharedMemoryIsWhatTheStructTakes() {
    // 128 slots: 130 doubles and 128 log gates; 64 keys of 68 numbers, 64 values of 64, twice 64
    // items of 20, 16 queries of 64, 64 weights, and twice 8 warps' 16 sums.
    List<Constant> constants = new ArrayList<>();
    ServingSizes gated =
        ServingPlan.of(new KernelSpec(2, 64, 1024, DType.BF16, true, true), constants);
    assertThat(gated.decodeSharedBytes())
        .isEqualTo(
            130 * 8 + 4 * (128 + 64 * 68 + 64 * 64 + 2 * 64 * 20 + 16 * 64 + 64 + 2 * 8 * 16));
    assertThat(constant(constants, "kDecodeSharedBytes"))
        .isEqualTo((long) gated.decodeSharedBytes());
    ServingSizes ungated =
        ServingPlan.of(new KernelSpec(2, 64, 1024, DType.BF16, false, true), new ArrayList<>());
    assertThat(gated.decodeSharedBytes() - ungated.decodeSharedBytes())
        .isEqualTo(130 * 8 + 128 * 4);
  }

  @Test
  void windowIsTheChunkUpTo128Tokens() {
    for (int chunk : new int[] {64, 128, 192, 1024}) {
      List<Constant> constants = new ArrayList<>();
      ServingPlan.of(new KernelSpec(2, 64, chunk, DType.BF16, true, true), constants);
      assertThat(constant(constants, "kWindow")).isEqualTo(chunk == 64 ? 64L : 128L);
    }
  }

  @Test
  void blocksLeaveWholeSixteenByteWords() {
    for (KernelSpec spec : KernelPlanTest.specs()) {
      int numbers = ServingPlan.of(spec, new ArrayList<>()).partialNumbers();
      assertWithMessage("%s", spec).that(numbers % 4).isEqualTo(0);
      assertWithMessage("%s", spec)
          .that(numbers - spec.headDim())
          .isEqualTo(spec.normalized() ? 4 : 0);
    }
  }
}
