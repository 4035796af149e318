package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.kernels.CudaFiles;
import org.powerattention.runtime.Tiling;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PackedView;
import org.powerattention.runtime.spi.SavedView;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;

/** The runtime fills the arguments in as the emitted sources declare them. */
class ForwardArgumentsTest {
  private static final Pattern STRUCT =
      Pattern.compile("struct ForwardArguments \\{\n(.*?)\n\\};", Pattern.DOTALL);
  private static final Pattern FIELD = Pattern.compile("(?m)^ *([\\w ]+\\*?) (\\w+);");

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
            new SavedView(new Place(1000), new Place(1100)),
            new PackedView(new int[] {0, 3000, 5000}, new Place(1200)),
            0);
    ForwardPlan plan = ForwardPlan.of(problem, new Tiling(128, 128, 0, 256, 128, 0, 10), 132);
    Map<String, Object> fields =
        read(ForwardArguments.of(problem, plan, 31, 17, new Place(1L << 40)));

    long work = 1L << 40;
    Map<String, Object> expected = new LinkedHashMap<>();
    expected.put("q", 100L);
    expected.put("k", 200L);
    expected.put("v", 300L);
    expected.put("log_gate", 400L);
    expected.put("y", 500L);
    expected.put("gate_sum", work);
    expected.put("snapshots", work + plan.snapshotOffset());
    expected.put("segment_states", work + plan.segmentOffset());
    expected.put("initial_sums", 600L);
    expected.put("initial_key_sums", 700L);
    expected.put("final_sums", 800L);
    expected.put("final_key_sums", 900L);
    expected.put("offsets", 1200L);
    expected.put("saved_outputs", 1000L);
    expected.put("saved_weights", 1100L);
    expected.put("q_strides", List.of(101L, 102L, 103L));
    expected.put("k_strides", List.of(201L, 202L, 203L));
    expected.put("v_strides", List.of(301L, 302L, 303L));
    expected.put("gate_strides", List.of(401L, 402L, 403L));
    expected.put("y_strides", List.of(501L, 502L, 503L));
    expected.put("tokens", 3000L);
    expected.put("all_tokens", 5000L);
    expected.put("all_chunks", 5000L / 1024 + 2);
    expected.put("query_start", 31L);
    expected.put("state_end", 3000L - 17);
    expected.put("query_heads", 6L);
    expected.put("key_heads", 3L);
    expected.put("chunk", 1024L);
    expected.put("chunks_per_segment", plan.chunksPerSegment());
    expected.put("segments", plan.segments());
    expected.put("segment_totals", 0L);
    expected.put("output_scale", 0.25);
    assertThat(fields).containsExactlyEntriesIn(expected);
  }

  @Test
  void segmentTotalsAreSetInTheirField() throws IOException {
    ForwardProblem problem = small();
    ForwardPlan plan = ForwardPlan.of(problem, new Tiling(128, 128, 0, 256, 128, 0, 10), 132);
    ByteBuffer arguments = ForwardArguments.of(problem, plan, 0, 0, null);
    Map<String, Object> before = read(arguments.duplicate().order(arguments.order()));
    ForwardArguments.segmentTotals(arguments, true);
    Map<String, Object> after = read(arguments.duplicate().order(arguments.order()));
    assertThat(after.put("segment_totals", 0L)).isEqualTo(1L);
    assertThat(after).isEqualTo(before);
    assertThat(after).containsAtLeast("offsets", 0L, "saved_outputs", 0L, "saved_weights", 0L);
  }

  private static ForwardProblem small() {
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

  /** Reads the arguments by the struct that a source of the catalogue declares. */
  private static Map<String, Object> read(ByteBuffer buffer) throws IOException {
    String source = Files.readString(CudaFiles.emitted().resolve("Power2Dim64Launcher.sm_90a.cu"));
    Matcher struct = STRUCT.matcher(source);
    assertThat(struct.find()).isTrue();
    Map<String, Object> fields = new LinkedHashMap<>();
    Matcher field = FIELD.matcher(struct.group(1));
    while (field.find()) {
      fields.put(field.group(2), value(field.group(1), buffer));
    }
    assertThat(buffer.hasRemaining()).isFalse();
    return fields;
  }

  private static Object value(String type, ByteBuffer buffer) {
    if (type.equals("Strides")) {
      List<Long> strides = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        strides.add(buffer.getLong());
      }
      return strides;
    }
    assertThat(type).matches(".*\\*|int64|double");
    return type.equals("double") ? (Object) buffer.getDouble() : (Object) buffer.getLong();
  }

  /** A tensor at an address, with strides that follow it. */
  private static TensorView view(long address, DType dtype) {
    return new TensorView(new Place(address), 0, dtype, address + 1, address + 2, address + 3);
  }

  /** Memory that is never touched. */
  private record Place(long address) implements Memory {
    @Override
    public long bytes() {
      return Long.MAX_VALUE;
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
  }
}
