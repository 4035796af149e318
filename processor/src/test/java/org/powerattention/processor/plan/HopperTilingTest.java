package org.powerattention.processor.plan;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** Launches of the warpgroup kernels are within what Hopper allows. */
final class HopperTilingTest {
  private static final int SHARED_BYTES = 227 << 10;
  private static final int REGISTERS = 65536;
  private static final int GROUP = 128;

  private static List<KernelSpec> specs() {
    List<KernelSpec> specs = new ArrayList<>();
    for (int degree = 1; degree <= 4; degree++) {
      for (int headDim = 16; headDim <= 128; headDim += 16) {
        for (boolean gated : new boolean[] {false, true}) {
          for (boolean normalized : new boolean[] {false, degree % 2 == 0}) {
            if (degree < 4 || headDim <= 64) {
              specs.add(new KernelSpec(degree, headDim, 1024, DType.BF16, gated, normalized));
            }
          }
        }
      }
    }
    return specs;
  }

  private static KernelPlan plan(KernelSpec spec) {
    return KernelPlan.of(spec, Part.FORWARD, Family.SM_90A);
  }

  private static Map<String, Long> constants(KernelPlan plan) {
    Map<String, Long> constants = new HashMap<>();
    plan.constants().forEach(constant -> constants.put(constant.name(), constant.value()));
    return constants;
  }

  @Test
  void onlyBf16IsMultipliedByWarpgroups() {
    for (DType dtype : DType.values()) {
      KernelSpec spec = new KernelSpec(2, 64, 1024, dtype, true, true);
      assertThat(plan(spec).symbols().get("WGMMA")).isEqualTo(dtype == DType.BF16 ? 1 : 0);
      assertThat(KernelPlan.of(spec, Part.FORWARD, Family.SM_80).symbols().get("WGMMA"))
          .isEqualTo(0);
    }
  }

  @Test
  void sharedMemoryFits() {
    for (KernelSpec spec : specs()) {
      ForwardSizes sizes = (ForwardSizes) plan(spec).sizes();
      assertWithMessage("%s", spec).that(sizes.outputSharedBytes()).isAtMost(SHARED_BYTES);
      assertWithMessage("%s", spec).that(sizes.stateSharedBytes()).isAtMost(SHARED_BYTES);
    }
  }

  /** The walks of the backward pass keep as much as the state pass, which they are written from. */
  @Test
  void walksOfTheBackwardPassAreThoseOfTheStatePass() {
    List<String> shared =
        List.of(
            "kSumColumns",
            "kStateGroups",
            "kGroupTiles",
            "kStateStages",
            "kStateMultiplierRegisters",
            "kStateBringerRegisters",
            "kStateThreads",
            "kStateSharedBytes");
    for (KernelSpec spec : specs()) {
      KernelPlan backward = KernelPlan.of(spec, Part.BACKWARD, Family.SM_90A);
      if (spec.degree() != 2) {
        assertWithMessage("%s", spec).that(constants(backward)).containsKey("kWarpBlocks");
        continue;
      }
      ForwardSizes forward = (ForwardSizes) plan(spec).sizes();
      BackwardSizes sizes = (BackwardSizes) backward.sizes();
      Map<String, Long> wanted = constants(plan(spec));
      wanted.keySet().retainAll(shared);
      assertWithMessage("%s", spec)
          .that(constants(backward).entrySet())
          .containsAtLeastElementsIn(wanted.entrySet());
      assertWithMessage("%s", spec)
          .that(backward.sizes())
          .isEqualTo(
              new BackwardSizes(
                  forward.stateFeatures(),
                  forward.stateThreads(),
                  forward.stateSharedBytes(),
                  sizes.queryRows(),
                  sizes.queryThreads(),
                  sizes.querySharedBytes(),
                  sizes.keyRows(),
                  sizes.keyThreads(),
                  sizes.keySharedBytes(),
                  true,
                  sizes.snapshotBytes()));
    }
  }

  /** setmaxnreg moves registers within what the block was launched with: else it waits for ever. */
  @Test
  void registersThatAreMovedAreThere() {
    for (KernelSpec spec : specs()) {
      KernelPlan plan = plan(spec);
      ForwardSizes sizes = (ForwardSizes) plan.sizes();
      Map<String, Long> constants = constants(plan);
      checkRegisters(
          spec,
          sizes.outputThreads(),
          constants.get("kMultiplierRegisters"),
          constants.get("kBringerRegisters"));
      checkRegisters(
          spec,
          sizes.stateThreads(),
          constants.get("kStateMultiplierRegisters"),
          constants.get("kStateBringerRegisters"));
    }
  }

  private static void checkRegisters(KernelSpec spec, int threads, long multiplier, long bringer) {
    // The compiler gives every thread of a launch the same number, a multiple of 8.
    long launched = Math.min(255, REGISTERS / threads / 8 * 8);
    assertWithMessage("%s", spec)
        .that((threads - GROUP) * multiplier + GROUP * bringer)
        .isAtMost(launched * threads);
    for (long registers : new long[] {multiplier, bringer}) {
      assertWithMessage("%s", spec).that(registers % 8).isEqualTo(0);
      assertWithMessage("%s", spec).that(registers).isAtLeast(24);
      assertWithMessage("%s", spec).that(registers).isAtMost(256);
    }
  }

  @Test
  void stateBlocksHoldAllSlabsWithLittleIdle() {
    for (KernelSpec spec : specs()) {
      KernelPlan plan = plan(spec);
      ForwardSizes sizes = (ForwardSizes) plan.sizes();
      Map<String, Long> constants = constants(plan);
      long groups = constants.get("kStateGroups");
      assertWithMessage("%s", spec).that(sizes.stateThreads()).isEqualTo((groups + 1) * GROUP);
      assertWithMessage("%s", spec)
          .that((long) sizes.stateFeatures())
          .isEqualTo(groups * constants.get("kGroupTiles") * HopperTiling.ROWS);
      long slabs = (spec.featureDim() + HopperTiling.ROWS - 1) / HopperTiling.ROWS;
      long tiles = sizes.stateFeatures() / HopperTiling.ROWS;
      long blocks = (slabs + tiles - 1) / tiles;
      // Each warpgroup of each block could have one tile less at most.
      assertWithMessage("%s", spec).that(blocks * (tiles - groups)).isLessThan(slabs);
      assertWithMessage("%s", spec)
          .that(sizes.snapshotBytes())
          .isEqualTo(slabs * HopperTiling.ROWS * constants.get("kSumColumns") * 2);
    }
  }
}
