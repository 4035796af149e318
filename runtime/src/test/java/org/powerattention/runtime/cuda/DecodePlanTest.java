package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ServingTiling;

final class DecodePlanTest {
  private static final ServingTiling TILING = new ServingTiling(64, 256, 50_000, 68);

  /** 132 multiprocessors hold four blocks each. */
  private static final long PLACES = 4 * 132;

  private static DecodePlan plan(KernelSpec spec, int batch, int queryHeads, int keyHeads) {
    return DecodePlan.of(spec, TILING, batch, queryHeads, keyHeads, PLACES);
  }

  private static KernelSpec spec(int degree) {
    return new KernelSpec(degree, 64, 1024, DType.BF16, true, degree % 2 == 0);
  }

  @Test
  void fewHeadsAreSplitIntoSingleSteps() {
    // 2,304 features are 36 steps, fewer than the 66 blocks that each of 8 heads could have.
    DecodePlan plan = plan(spec(2), 1, 8, 8);
    assertThat(plan.splits()).isEqualTo(36);
    assertThat(plan.splitFeatures()).isEqualTo(64);
    assertThat(plan.arrivalBytes()).isEqualTo(8 * 4);
    assertThat(plan.partialBytes()).isEqualTo(8 * 36 * 68 * 4);
    assertThat(plan.workspaceBytes()).isEqualTo(256 + 8 * 36 * 68 * 4);
  }

  @Test
  void manyHeadsAreSplitJustSoThatAllBlocksRunAtOnce() {
    // 528 blocks over 64 heads: 8 each, of 5 steps.
    DecodePlan plan = plan(spec(2), 8, 32, 8);
    assertThat(plan.splits()).isEqualTo(8);
    assertThat(plan.splitFeatures()).isEqualTo(5 * 64);
    assertThat(plan.partialBytes()).isEqualTo(8L * 32 * 8 * 68 * 4);
    assertThat(plan(spec(2), 64, 8, 8).splits()).isEqualTo(1);
    assertThat(plan(spec(2), 1024, 8, 8).splits()).isEqualTo(1);
  }

  @Test
  void partsOfAnEnormousStateStayFewEnoughToAdd() {
    DecodePlan plan = plan(spec(4), 1, 1, 1);
    assertThat(plan.splits()).isAtMost(256);
    assertThat(plan.splits()).isGreaterThan(128);
  }

  @Test
  void splitsCoverAllFeaturesAndNoneIsEmpty() {
    for (int degree = 1; degree <= 4; degree++) {
      for (int batch = 1; batch < 200; batch += 7) {
        DecodePlan plan = plan(spec(degree), batch, 8, 2);
        long features = spec(degree).featureDim();
        assertThat(plan.splits() * plan.splitFeatures()).isAtLeast(features);
        assertThat((plan.splits() - 1) * plan.splitFeatures()).isLessThan(features);
        assertThat(plan.splitFeatures() % 64).isEqualTo(0);
      }
    }
  }

  @Test
  void aStateSmallerThanAStepIsOneBlock() {
    DecodePlan plan = plan(spec(1), 1, 8, 8);
    assertThat(plan.splits()).isEqualTo(1);
  }
}
