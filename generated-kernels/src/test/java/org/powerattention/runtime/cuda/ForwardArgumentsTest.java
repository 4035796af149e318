package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static org.powerattention.runtime.cuda.EmittedArguments.read;
import static org.powerattention.runtime.cuda.EmittedArguments.view;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.cuda.EmittedArguments.Place;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.PackedView;
import org.powerattention.runtime.spi.SavedView;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;

/** The runtime fills the arguments in as the emitted sources declare them. */
class ForwardArgumentsTest {
  private static final String SOURCE = "Power2Dim64Launcher.sm_90a.cu";
  private static final ForwardTiling TILING =
      new ForwardTiling(128, 128, 0, 256, 128, 0, 10, false);
  private static final KeptStates KEPT = new KeptStates(256, 1000);

  @Test
  void everyFieldIsWhereTheKernelsReadIt() throws IOException {
    KernelSpec spec = new KernelSpec(2, 64, 1024, DType.BF16, true, true);
    ForwardProblem problem =
        new ForwardProblem(
            spec,
            2,
            3000,
            6,
            3,
            0.5,
            true,
            view(100, DType.BF16),
            view(200, DType.BF16),
            view(300, DType.BF16),
            view(400, DType.FP32),
            view(500, DType.BF16),
            new StateView(new Place(600), new Place(700), null),
            new StateView(new Place(800), new Place(900), null),
            new SavedView(new Place(1000), new Place(1100), null),
            new PackedView(new int[] {0, 3000, 5000}, new Place(1200)),
            0);
    ForwardPlan plan = ForwardPlan.of(problem, TILING, 132);
    Map<String, Object> fields =
        read(SOURCE, ForwardArguments.of(problem, plan, KEPT, 31, 17, new Place(1L << 40)));

    long work = 1L << 40;
    Map<String, Object> expected = new LinkedHashMap<>();
    expected.put("q", 100L);
    expected.put("k", 200L);
    expected.put("v", 300L);
    expected.put("log_gate", 400L);
    expected.put("y", 500L);
    expected.put("gate_sum", work);
    expected.put("snapshots", work + plan.snapshotOffset());
    expected.put("snapshot_key_sums", 0L);
    expected.put("segment_states", work + plan.segmentOffset());
    expected.put("initial_sums", 600L);
    expected.put("initial_key_sums", 700L);
    expected.put("final_sums", 800L);
    expected.put("final_key_sums", 900L);
    expected.put("offsets", 1200L);
    expected.put("saved_outputs", 1000L);
    expected.put("saved_weights", 1100L);
    expected.put("joint_partials", work + plan.partialsOffset());
    expected.put("joint_totals", work + plan.totalsOffset());
    expected.put("q_strides", List.of(101L, 102L, 103L));
    expected.put("k_strides", List.of(201L, 202L, 203L));
    expected.put("v_strides", List.of(301L, 302L, 303L));
    expected.put("gate_strides", List.of(401L, 402L, 403L));
    expected.put("y_strides", List.of(501L, 502L, 503L));
    expected.put("tokens", 3000L);
    expected.put("all_tokens", 5000L);
    expected.put("all_chunks", 5000L / 1024 + 2);
    expected.put("query_start", 31L);
    expected.put("held_back", 17L);
    expected.put("query_heads", 6L);
    expected.put("key_heads", 3L);
    expected.put("chunk", 1024L);
    expected.put("chunks_per_segment", plan.chunksPerSegment());
    expected.put("segments", plan.segments());
    expected.put("joint_numbers", 2L * 6 * (64 * 65 + 1));
    expected.put("joint_parts", 64L);
    expected.put("output_scale", 0.25);
    assertThat(fields).containsExactlyEntriesIn(expected);
  }

  /** States that are kept take no workspace, and their key sums lie behind them. */
  @Test
  void keptStatesAreWrittenToTheirPlace() throws IOException {
    ForwardProblem problem = chunked(new SavedView(null, null, new Place(1 << 20)));
    ForwardPlan plan = ForwardPlan.of(problem, TILING, 132);
    assertThat(plan.snapshotBytes()).isEqualTo(0);
    assertThat(plan.statePass()).isTrue();
    assertThat(plan.outputs()).isTrue();
    assertThat(read(SOURCE, ForwardArguments.of(problem, plan, KEPT, 0, 0, new Place(1L << 40))))
        .containsAtLeast("snapshots", 1L << 20, "snapshot_key_sums", (1L << 20) + 256);
  }

  @Test
  void whatACallDoesNotHaveIsNull() throws IOException {
    ForwardProblem problem = small();
    ForwardPlan plan = ForwardPlan.of(problem, TILING, 132);
    assertThat(read(SOURCE, ForwardArguments.of(problem, plan, KEPT, 0, 0, null)))
        .containsAtLeast("offsets", 0L, "saved_outputs", 0L, "saved_weights", 0L);
  }

  private static ForwardProblem chunked(SavedView saved) {
    TensorView view = view(100, DType.BF16);
    return new ForwardProblem(
        new KernelSpec(2, 64, 64, DType.BF16, true, true),
        1,
        1000,
        1,
        1,
        1,
        true,
        view,
        view,
        view,
        view(400, DType.FP32),
        view,
        null,
        null,
        saved,
        null,
        0);
  }

  static ForwardProblem small() {
    TensorView view = view(100, DType.FP32);
    return new ForwardProblem(
        new KernelSpec(1, 64, 64, DType.FP32, false, false),
        1,
        10,
        1,
        1,
        1,
        false,
        view,
        view,
        view,
        null,
        view,
        null,
        null,
        null,
        null,
        0);
  }
}
