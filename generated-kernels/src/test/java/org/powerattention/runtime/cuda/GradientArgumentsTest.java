package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static org.powerattention.runtime.cuda.EmittedArguments.read;
import static org.powerattention.runtime.cuda.EmittedArguments.view;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.BackwardTiling;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.cuda.EmittedArguments.Place;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.PackedView;
import org.powerattention.runtime.spi.SavedView;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.WindowView;

/** The runtime fills the arguments in as the emitted backward sources declare them. */
class GradientArgumentsTest {
  private static final String SOURCE = "Power2Dim64Launcher.backward.sm_90a.cu";
  private static final KeptStates KEPT = new KeptStates(256, 1000);
  private static final SavedView NOTHING = new SavedView(null, null, null);
  private static final BackwardTiling TILING =
      new BackwardTiling(256, 128, 0, 128, 256, 0, 64, 128, 0, false, 2304 * (64 * 2 + 4));

  @Test
  void everyFieldIsWhereTheKernelsReadIt() throws IOException {
    BackwardProblem problem = problem(true);
    GradientPlan plan = GradientPlan.of(problem, TILING, 132);
    long work = 1L << 40;
    SavedView saved = new SavedView(new Place(1400), new Place(1500), new Place(1 << 20));
    Map<String, Object> fields =
        read(SOURCE, GradientArguments.of(problem, plan, saved, KEPT, work));

    // 5,000 tokens of 3 heads and chunks of 1,024 in 4 + 2 places; pieces begin at multiples of
    // 256.
    Map<String, Object> expected = new LinkedHashMap<>();
    expected.put("q", 100L);
    expected.put("k", 200L);
    expected.put("v", 300L);
    expected.put("log_gate", 400L);
    expected.put("dy", 500L);
    expected.put("dq", 600L);
    expected.put("dk", 700L);
    expected.put("dv", 800L);
    expected.put("dlog_gate", 900L);
    expected.put("offsets", 1200L);
    expected.put("gate_sum", work);
    expected.put("saved_outputs", 1400L);
    expected.put("saved_weights", 1500L);
    long at = work + aligned(3 * 5000 * 8);
    for (String rows : List.of("row_scales", "row_deltas")) {
      expected.put(rows, at);
      at += aligned(6 * 5000 * 4);
    }
    expected.put("states", 1L << 20);
    expected.put("state_key_sums", (1L << 20) + 256);
    expected.put("state_gradients", at);
    at += aligned(3 * 6 * 2304L * (64 * 2 + 4));
    expected.put("segment_gradients", at);
    at += aligned(2 * 3 * plan.segments() * 2304 * 65 * 4);
    expected.put("state_products", at);
    at += aligned(3 * 6 * (2304 * (64 * 2 + 4) / 16 / 32) * 4);
    for (String rows : List.of("query_state_sums", "query_sums")) {
      expected.put(rows, at);
      at += aligned(6 * 5000 * 4);
    }
    for (String rows : List.of("key_state_sums", "key_sums")) {
      expected.put(rows, at);
      at += aligned(3 * 5000 * 4);
    }
    expected.put("initial_sums", 1600L);
    expected.put("initial_key_sums", 1700L);
    expected.put("final_gradient", 2000L);
    expected.put("final_key_gradient", 2100L);
    expected.put("initial_gradient", 1800L);
    expected.put("initial_key_gradient", 1900L);
    long queryNumbers = 2 * 6 * 64 * 64;
    long numbers = queryNumbers + 2 * 3 * 64 * 128;
    expected.put("joint_partials", at);
    at += aligned(64 * numbers * 8);
    expected.put("joint_totals", at);
    expected.put("query_joints", at);
    expected.put("key_joints", at + queryNumbers * 4);
    at += aligned(numbers * 4);
    expected.put("q_strides", List.of(101L, 102L, 103L));
    expected.put("k_strides", List.of(201L, 202L, 203L));
    expected.put("v_strides", List.of(301L, 302L, 303L));
    expected.put("gate_strides", List.of(401L, 402L, 403L));
    expected.put("dy_strides", List.of(501L, 502L, 503L));
    expected.put("dq_strides", List.of(601L, 602L, 603L));
    expected.put("dk_strides", List.of(701L, 702L, 703L));
    expected.put("dv_strides", List.of(801L, 802L, 803L));
    expected.put("dgate_strides", List.of(901L, 902L, 903L));
    expected.put("tokens", 3000L);
    expected.put("query_heads", 6L);
    expected.put("key_heads", 3L);
    expected.put("chunk", 1024L);
    expected.put("chunks_per_segment", plan.chunksPerSegment());
    expected.put("segments", plan.segments());
    expected.put("all_tokens", 5000L);
    expected.put("all_chunks", 6L);
    expected.put("held_back", 0L);
    expected.put("joint_numbers", numbers);
    expected.put("joint_parts", 64L);
    expected.put("output_scale", 1.0);
    assertThat(fields).containsExactlyEntriesIn(expected);
    assertThat(plan.segments()).isGreaterThan(1);
    assertThat(GradientArguments.workspaceBytes(problem, plan, KEPT)).isEqualTo(at - work);
  }

  /** In 32 bits the key sums lie in the states. */
  @Test
  void keySumsLieApartInBf16Alone() throws IOException {
    BackwardProblem problem = problem(true, DType.FP32);
    GradientPlan plan = GradientPlan.of(problem, TILING, 132);
    SavedView saved = new SavedView(new Place(1400), new Place(1500), new Place(1 << 20));
    assertThat(read(SOURCE, GradientArguments.of(problem, plan, saved, KEPT, 1L << 40)))
        .containsAtLeast("states", 1L << 20, "state_key_sums", 0L);
  }

  @Test
  void withoutStatesNothingIsWalkedInAttentionForm() throws IOException {
    BackwardProblem problem = problem(false);
    GradientPlan plan = GradientPlan.of(problem, TILING, 132);
    assertThat(plan.walks()).isFalse();
    assertThat(read(SOURCE, GradientArguments.of(problem, plan, NOTHING, KEPT, 1L << 40)))
        .containsAtLeast(
            "states", 0L, "state_gradients", 0L, "segment_gradients", 0L, "state_products", 0L);
  }

  /** A multiprocessor holds two blocks of a walk, or one by warpgroups. */
  @Test
  void segmentsAreAsManyAsMultiprocessorsHold() {
    // 6 heads of 18 blocks each, on 132 multiprocessors; 3 chunks.
    for (boolean byWarpgroups : new boolean[] {false, true}) {
      BackwardTiling tiling =
          new BackwardTiling(
              128, 128, 0, 128, 256, 0, 64, 128, 0, byWarpgroups, 2304 * (64 * 2 + 4));
      assertThat(GradientPlan.of(problem(true), tiling, 132).segments())
          .isEqualTo(byWarpgroups ? 1 : 2);
    }
  }

  /** As in a prefill call, which launches forward kernels between its own. */
  @Test
  void theArgumentsOfOtherPartsStayAsTheyAre() {
    StateView state =
        new StateView(
            new Place(1),
            new Place(2),
            new WindowView(128, new Place(3), new Place(4), new Place(5), new Place(6)));
    ByteBuffer serving = ServingArguments.of(state, 1, 1, new DecodePlan(1, 2304, 4, 1));
    ByteBuffer servingBefore = copy(serving);
    BackwardProblem problem = problem(true);
    GradientPlan plan = GradientPlan.of(problem, TILING, 132);
    ByteBuffer gradients = GradientArguments.of(problem, plan, NOTHING, KEPT, 1L << 40);
    ByteBuffer gradientsBefore = copy(gradients);

    ForwardProblem forward = ForwardArgumentsTest.small();
    ForwardTiling tiling = new ForwardTiling(128, 128, 0, 256, 128, 0, 10, false);
    ByteBuffer written =
        ForwardArguments.of(forward, ForwardPlan.of(forward, tiling, 132), KEPT, 0, 0, null);

    assertThat(written.remaining()).isGreaterThan(0);
    assertThat(serving).isEqualTo(servingBefore);
    assertThat(gradients).isEqualTo(gradientsBefore);
  }

  private static ByteBuffer copy(ByteBuffer buffer) {
    return ByteBuffer.allocate(buffer.remaining()).put(buffer.duplicate()).flip();
  }

  private static BackwardProblem problem(boolean states) {
    return problem(states, DType.BF16);
  }

  private static BackwardProblem problem(boolean states, DType dtype) {
    return new BackwardProblem(
        new KernelSpec(2, 64, 1024, dtype, true, true),
        2,
        3000,
        6,
        3,
        0.5,
        states,
        view(100, dtype),
        view(200, dtype),
        view(300, dtype),
        view(400, DType.FP32),
        view(500, dtype),
        view(600, dtype),
        view(700, dtype),
        view(800, dtype),
        view(900, DType.FP32),
        states ? new StateView(new Place(1600), new Place(1700), null) : null,
        states ? new StateView(new Place(1800), new Place(1900), null) : null,
        states ? new StateView(new Place(2000), new Place(2100), null) : null,
        null,
        new PackedView(new int[] {0, 3000, 5000}, new Place(1200)),
        0);
  }

  private static long aligned(long bytes) {
    return (bytes + 255) / 256 * 256;
  }
}
