package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ServingTiling;

final class DecodePlanTest {
  private static final ServingTiling TILING = new ServingTiling(64, 256, 50_000, 68);
  private static final int MULTIPROCESSORS = 132;

  private static DecodePlan plan(KernelSpec spec, int batch, int queryHeads, int keyHeads) {
    return DecodePlan.of(spec, TILING, batch, queryHeads, keyHeads, MULTIPROCESSORS);
  }

  private static KernelSpec spec(int degree) {
    return new KernelSpec(degree, 64, 1024, DType.BF16, true, degree % 2 == 0);
  }

  @Test
  void fewHeadsAreSplitIntoSingleSteps() {
    // 2,304 features are 36 steps, fewer than the 132 blocks that each of 8 heads could have.
    DecodePlan plan = plan(spec(2), 1, 8, 8);
    assertThat(plan.splits()).isEqualTo(36);
    assertThat(plan.splitFeatures()).isEqualTo(64);
    assertThat(plan.workspaceBytes()).isEqualTo(8 * 36 * 68 * 4);
  }

  @Test
  void manyHeadsAreSplitJustSoThatMultiprocessorsAreBusy() {
    // 1,056 blocks over 512 heads: 3 each, of 12 steps.
    DecodePlan plan = plan(spec(2), 64, 32, 8);
    assertThat(plan.splits()).isEqualTo(3);
    assertThat(plan.splitFeatures()).isEqualTo(12 * 64);
    assertThat(plan.workspaceBytes()).isEqualTo(64L * 32 * 3 * 68 * 4);
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
