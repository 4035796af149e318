package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;
import org.powerattention.runtime.spi.WindowView;

/** The bytes that kernels get, against the order of the fields of the struct in CUDA. */
final class ServingArgumentsTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 64, 1024, DType.BF16, true, true);
  private static final StateView STATE =
      new StateView(at(600), at(700), new WindowView(128, at(800), at(900), at(1000), at(1100)));

  /** Memory that is nothing but an address. */
  private record Place(long address) implements Memory {
    @Override
    public long bytes() {
      return 1 << 20;
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

  private static Memory at(long address) {
    return new Place(address);
  }

  private static TensorView tensor(long address, DType dtype, long stride) {
    return new TensorView(at(address), 3, dtype, stride, stride + 1, stride + 2);
  }

  private static List<Long> longs(ByteBuffer buffer, int count) {
    assertThat(buffer.remaining()).isEqualTo(39 * 8);
    List<Long> values = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      values.add(buffer.getLong(i * 8));
    }
    return values;
  }

  @Test
  void decodeHasItsTensorsStateAndWorkspace() {
    DecodeProblem problem =
        new DecodeProblem(
            SPEC,
            3,
            8,
            2,
            0.5,
            tensor(100, DType.BF16, 10),
            tensor(200, DType.BF16, 20),
            tensor(300, DType.BF16, 30),
            tensor(400, DType.FP32, 40),
            tensor(500, DType.BF16, 50),
            STATE,
            at(1200),
            0);
    ByteBuffer buffer = ServingArguments.of(problem, new DecodePlan(5, 640, 6 * 4, 0));

    assertThat(longs(buffer, 38))
        .containsExactly(
            106L,
            206L,
            306L,
            412L,
            506L, // q, k, v, log_gate, y
            600L,
            700L,
            800L,
            900L,
            1000L,
            1100L, // sums, key_sums, window, spans
            1200L,
            1200L + 256,
            0L,
            0L,
            0L, // arrivals, partials, joined
            10L,
            11L,
            12L,
            20L,
            21L,
            22L,
            30L,
            31L,
            32L,
            40L,
            41L,
            42L,
            50L,
            51L,
            52L, // strides
            3L,
            1L,
            8L,
            2L, // batch, tokens, query_heads, key_heads
            5L,
            640L,
            0L) // splits, split_features, kept
        .inOrder();
    assertThat(buffer.getDouble(38 * 8)).isEqualTo(0.25);
  }

  @Test
  void prefillHasTheJoinedTokensInItsWorkspace() {
    PrefillProblem problem =
        new PrefillProblem(
            SPEC,
            3,
            7,
            8,
            2,
            0.5,
            true,
            tensor(100, DType.BF16, 10),
            tensor(200, DType.BF16, 20),
            tensor(300, DType.BF16, 30),
            tensor(400, DType.FP32, 40),
            tensor(500, DType.BF16, 50),
            STATE,
            0);
    JoinedTokens joined = JoinedTokens.of(SPEC, 3, 64 + 7, 2);
    List<Long> values =
        longs(
            ServingArguments.of(problem, new DecodePlan(5, 640, 6 * 4, 0), 64, joined, at(4096)),
            38);

    // 3 x 71 x 2 rows of 128 bytes are a multiple of 256.
    long rows = 3 * 71 * 2 * 128;
    assertThat(values.subList(11, 16))
        .containsExactly(0L, 0L, 4096L, 4096 + rows, 4096 + 2 * rows)
        .inOrder();
    assertThat(values.subList(31, 38)).containsExactly(3L, 7L, 8L, 2L, 5L, 640L, 64L).inOrder();
  }

  @Test
  void foldHasTheStateAlone() {
    List<Long> values =
        longs(ServingArguments.of(STATE, 3, 2, new DecodePlan(5, 640, 6 * 4, 0)), 38);
    assertThat(values.subList(0, 5)).containsExactly(0L, 0L, 0L, 0L, 0L);
    assertThat(values.subList(5, 11))
        .containsExactly(600L, 700L, 800L, 900L, 1000L, 1100L)
        .inOrder();
    assertThat(values.subList(31, 38)).containsExactly(3L, 0L, 2L, 2L, 5L, 640L, 0L).inOrder();
  }

  @Test
  void aStateWithoutWindowIsRefused() {
    StateView sums = new StateView(at(600), at(700), null);
    IllegalArgumentException e =
        Assertions.assertThrows(
            IllegalArgumentException.class,
            () -> ServingArguments.of(sums, 3, 2, new DecodePlan(5, 640, 6 * 4, 0)));
    assertThat(e).hasMessageThat().contains("newState");
  }

  @Test
  void joinedTokensLieOneAfterAnotherWithoutOverlap() {
    // 5 rows of 32 bytes round up to 256; values start there, log gates after both.
    KernelSpec spec = new KernelSpec(2, 16, 64, DType.BF16, true, true);
    JoinedTokens joined = JoinedTokens.of(spec, 1, 5, 1);
    Memory workspace = at(0);
    assertThat(joined.keys(workspace).address()).isEqualTo(0);
    assertThat(joined.values(workspace).address()).isEqualTo(256);
    TensorView gates = joined.logGates(workspace);
    assertThat(gates).isNotNull();
    assertThat(gates.address()).isEqualTo(512);
    assertThat(joined.workspaceBytes()).isEqualTo(512 + 5 * 4);
    assertThat(joined.keys(workspace).tokenStride()).isEqualTo(16);
    assertThat(
            JoinedTokens.of(new KernelSpec(2, 16, 64, DType.BF16, false, true), 1, 5, 1)
                .logGates(workspace))
        .isNull();
  }
}
