package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PackedView;
import org.powerattention.runtime.spi.TensorView;

/** Grids and workspaces, by numbers worked out by hand. */
final class ForwardPlanTest {
  private static final int MULTIPROCESSORS = 132;
  private static final int KEY_HEADS = 3;
  private static final KernelSpec SPEC = new KernelSpec(2, 64, 256, DType.BF16, true, true);

  /** 2,304 features make nine thread blocks of the state pass. */
  private static final ForwardTiling TILING =
      new ForwardTiling(128, 128, 0, 256, 128, 0, 1000, false);

  @Test
  void batchEntriesHaveAllTheirTokensAndChunks() {
    ForwardPlan plan = plan(dense(2, 1000, true));
    assertThat(plan.chunk()).isEqualTo(256);
    assertThat(plan.chunks()).isEqualTo(4);
    assertThat(plan.allTokens()).isEqualTo(2000);
    assertThat(plan.allChunks()).isEqualTo(8);
    assertThat(plan.gateSumBytes()).isEqualTo(3 * 2000 * 8);
    assertThat(plan.snapshotBytes()).isEqualTo(3 * 8 * 1000);
    // 264 places for 6 x 9 blocks: four segments, of one chunk each.
    assertThat(plan.segments()).isEqualTo(4);
    assertThat(plan.chunksPerSegment()).isEqualTo(1);
    assertThat(plan.segmentBytes()).isEqualTo(6 * 4 * SPEC.stateBytes());
  }

  @Test
  void packedSequencesTakeTheWorkspaceOfTheirTokensAndAPlaceEachForAShorterChunk() {
    ForwardPlan plan = plan(packed(true, 0, 700, 700, 701, 1000));
    assertThat(plan.chunk()).isEqualTo(256);
    assertThat(plan.chunks()).isEqualTo(3);
    assertThat(plan.allTokens()).isEqualTo(1000);
    assertThat(plan.allChunks()).isEqualTo(1000 / 256 + 4);
    assertThat(plan.gateSumBytes()).isEqualTo(3 * 1000 * 8);
    assertThat(plan.snapshotBytes()).isEqualTo(3 * 7 * 1000);
    // 264 places for 12 x 9 blocks: two segments, the first of two chunks.
    assertThat(plan.segments()).isEqualTo(2);
    assertThat(plan.chunksPerSegment()).isEqualTo(2);
    assertThat(plan.segmentBytes()).isEqualTo(12 * 2 * SPEC.stateBytes());
  }

  @Test
  void inAttentionFormTheLongestSequenceIsOneChunk() {
    ForwardPlan plan = plan(packed(false, 0, 700, 1000));
    assertThat(plan.chunk()).isEqualTo(700);
    assertThat(plan.chunks()).isEqualTo(1);
    assertThat(plan.statePass()).isFalse();
    assertThat(plan.snapshotBytes()).isEqualTo(0);
    assertThat(plan.segmentBytes()).isEqualTo(0);
    assertThat(plan.gateSumBytes()).isEqualTo(3 * 1000 * 8);
  }

  @Test
  void sequencesThatAreAllEmptyStillLaunchGrids() {
    for (boolean chunked : new boolean[] {false, true}) {
      ForwardPlan plan = plan(packed(chunked, 0, 0, 0));
      assertThat(plan.chunk()).isAtLeast(1);
      assertThat(plan.chunks()).isEqualTo(1);
      assertThat(plan.segments()).isEqualTo(1);
      assertThat(plan.allTokens()).isEqualTo(0);
    }
  }

  /** The place of a sequence's first chunk is {@code offset / chunk + index}: see chunks.cuh. */
  @Test
  void noTwoChunksOfPackedSequencesShareAPlace() {
    Random random = new Random(1);
    for (int trial = 0; trial < 1000; trial++) {
      int[] offsets = new int[2 + random.nextInt(8)];
      for (int n = 1; n < offsets.length; n++) {
        offsets[n] = offsets[n - 1] + (int) (2000 * Math.pow(random.nextDouble(), 4));
      }
      ForwardPlan plan = plan(packed(true, offsets));
      boolean[] taken = new boolean[(int) plan.allChunks()];
      for (int n = 0; n + 1 < offsets.length; n++) {
        int place = offsets[n] / 256 + n;
        for (int token = offsets[n]; token < offsets[n + 1]; token += 256) {
          assertWithMessage(Arrays.toString(offsets)).that(taken[place]).isFalse();
          taken[place++] = true;
        }
      }
    }
  }

  @Test
  void segmentsThatAreJoinedFillTheMultiprocessorsAndAreNotTooMany() {
    // 8 heads of 5 blocks each: three segments of 22 chunks are one wave.
    WalkCosts costs = new WalkCosts(1, 0.4, 0.3);
    assertThat(costs.fastestSegment(40, 64, MULTIPROCESSORS)).isEqualTo(22);
    // Enough heads fill the device alone.
    assertThat(costs.fastestSegment(480, 64, MULTIPROCESSORS)).isEqualTo(64);
    assertThat(costs.fastestSegment(1, 1, MULTIPROCESSORS)).isEqualTo(1);
    // Two to a multiprocessor, 8 heads of 9 blocks each: eleven segments are three waves.
    assertThat(new WalkCosts(2, 0.1, 0.1).fastestSegment(72, 64, MULTIPROCESSORS)).isEqualTo(6);
    for (long blocks = 1; blocks < 2000; blocks = blocks * 3 / 2 + 1) {
      for (long chunks = 1; chunks < 5000; chunks = chunks * 3 / 2 + 1) {
        long perSegment = costs.fastestSegment(blocks, chunks, MULTIPROCESSORS);
        assertThat(perSegment).isAtLeast(1);
        assertThat(perSegment).isAtMost(chunks);
        // The kernel that joins them has a thread for each.
        assertThat(ForwardPlan.divideUp(chunks, perSegment)).isAtMost(256);
      }
    }
  }

  private static ForwardPlan plan(ForwardProblem problem) {
    return ForwardPlan.of(problem, TILING, MULTIPROCESSORS);
  }

  private static ForwardProblem dense(int batch, int tokens, boolean chunked) {
    return problem(batch, tokens, chunked, null);
  }

  private static ForwardProblem packed(boolean chunked, int... offsets) {
    int longest = 0;
    for (int n = 0; n + 1 < offsets.length; n++) {
      longest = Math.max(longest, offsets[n + 1] - offsets[n]);
    }
    return problem(offsets.length - 1, longest, chunked, new PackedView(offsets, NOWHERE));
  }

  private static ForwardProblem problem(
      int batch, int tokens, boolean chunked, @Nullable PackedView packed) {
    TensorView view = new TensorView(NOWHERE, 0, DType.BF16, 0, 0, 0);
    return new ForwardProblem(
        SPEC, batch, tokens, KEY_HEADS, KEY_HEADS, 1, chunked, view, view, view, view, view, null,
        null, null, packed, 0);
  }

  /** A plan looks at no memory. */
  private static final Memory NOWHERE =
      new Memory() {
        @Override
        public long bytes() {
          throw new UnsupportedOperationException();
        }

        @Override
        public long address() {
          throw new UnsupportedOperationException();
        }

        @Override
        public void write(long offset, ByteBuffer source) {
          throw new UnsupportedOperationException();
        }

        @Override
        public void read(long offset, ByteBuffer target) {
          throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
      };
}
