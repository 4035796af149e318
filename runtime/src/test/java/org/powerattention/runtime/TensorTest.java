package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;

final class TensorTest {
  private final Accelerator cpu = Accelerator.cpu();

  @AfterEach
  void close() {
    cpu.close();
  }

  @Test
  void zerosAreZeroAndContiguous() {
    Tensor tensor = cpu.zeros(DType.FP32, 2, 3, 4);
    assertThat(tensor.toFloats()).usingExactEquality().containsExactly(new float[24]).inOrder();
    assertThat(tensor.strides()).isEqualTo(new long[] {12, 4, 1});
    assertThat(tensor.isContiguous()).isTrue();
    assertThat(tensor.elements()).isEqualTo(24);
  }

  @Test
  void valuesAreRoundedToTheDtype() {
    // 1 + 2^-8 lies halfway between two bf16 numbers, 1 + 2^-11 between two fp16 numbers.
    float[] values = {1 + 0x1p-8f, 1 + 0x1p-11f, 3.5f};
    assertThat(cpu.tensor(DType.BF16, values, 3).toFloats())
        .usingExactEquality()
        .containsExactly(new float[] {1, 1, 3.5f})
        .inOrder();
    assertThat(cpu.tensor(DType.FP16, values, 3).toFloats())
        .usingExactEquality()
        .containsExactly(new float[] {1 + 0x1p-8f, 1, 3.5f})
        .inOrder();
    assertThat(cpu.tensor(DType.FP32, values, 3).toFloats()).isEqualTo(values);
  }

  @Test
  void rawBytesAreTheDtypesInNativeOrder() {
    Tensor tensor = cpu.zeros(DType.BF16, 2);
    ByteBuffer raw = ByteBuffer.allocate(6).order(ByteOrder.nativeOrder());
    raw.putShort((short) -1).putShort((short) 0x3f80).putShort((short) 0xc000).position(2);
    tensor.copyFrom(raw);
    assertThat(raw.position()).isEqualTo(2);
    assertThat(tensor.toFloats()).isEqualTo(new float[] {1, -2});
    ByteBuffer back = ByteBuffer.allocateDirect(4);
    tensor.copyTo(back);
    assertThat(back).isEqualTo(raw);
  }

  @Test
  void randomViewsHoldWhatIndexArithmeticSays() {
    Random random = new Random(11);
    for (int round = 0; round < 300; round++) {
      DType dtype = List.of(DType.values()).get(random.nextInt(3));
      int rank = 1 + random.nextInt(4);
      long[] shape = new long[rank];
      int elements = 1;
      for (int k = 0; k < rank; k++) {
        shape[k] = random.nextInt(1, 6);
        elements *= (int) shape[k];
      }
      float[] base = new float[elements];
      for (int i = 0; i < elements; i++) {
        base[i] = i % 256; // exact in every dtype
      }
      Tensor tensor = cpu.tensor(dtype, base, shape);
      Tensor view = randomView(tensor, random);
      long offset = (view == tensor) ? 0 : view.layout().offset();
      float[] expected = new float[(int) view.elements()];
      for (int i = 0; i < expected.length; i++) {
        expected[i] = base[(int) (offset + place(view, i))];
      }
      assertWithMessage("%s of %s", view, tensor).that(view.toFloats()).isEqualTo(expected);

      // Writing the view changes its elements and no others.
      for (int i = 0; i < expected.length; i++) {
        expected[i] = -1 - i % 256;
        base[(int) (offset + place(view, i))] = expected[i];
      }
      view.copyFrom(FloatBuffer.wrap(expected));
      assertWithMessage("%s of %s", view, tensor).that(tensor.toFloats()).isEqualTo(base);
    }
  }

  private static Tensor randomView(Tensor tensor, Random random) {
    Tensor view = tensor;
    for (int step = 0; step < 3; step++) {
      int rank = view.shape().length;
      if (rank == 0) {
        return view;
      }
      int k = random.nextInt(rank);
      long size = view.shape()[k];
      switch (random.nextInt(3)) {
        case 0 -> {
          long from = random.nextInt((int) size);
          view = view.slice(k, from, from + 1 + random.nextInt((int) (size - from)));
        }
        case 1 -> view = view.select(k, random.nextInt((int) size));
        default -> {
          int[] order = new int[rank];
          for (int i = 0; i < rank; i++) {
            order[i] = (i + k) % rank;
          }
          view = view.permute(order);
        }
      }
    }
    return view;
  }

  /** Position of the i-th element in row-major order, relative to the first. */
  private static long place(Tensor tensor, long i) {
    long[] shape = tensor.shape();
    long[] strides = tensor.strides();
    long place = 0;
    for (int k = shape.length - 1; k >= 0; k--) {
      place += i % shape[k] * strides[k];
      i /= shape[k];
    }
    return place;
  }

  @Test
  void viewsLargerThanOneTransferAreCopiedWhole() {
    // 12 MB of fp32, of which the permuted view takes every other column.
    int rows = 3_000;
    int columns = 1_000;
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    Tensor tensor = cpu.tensor(DType.FP32, values, rows, columns);
    assertThat(tensor.toFloats()).isEqualTo(values);
    Tensor view = tensor.reshape(rows, columns / 2, 2).select(2, 1).permute(1, 0);
    float[] got = view.toFloats();
    for (int c = 0; c < columns / 2; c++) {
      for (int r = 0; r < rows; r++) {
        if (got[c * rows + r] != values[r * columns + 2 * c + 1]) {
          assertWithMessage("column %s, row %s", c, r).fail();
        }
      }
    }
    view.copyFrom(new float[got.length]);
    for (int i = 1; i < values.length; i += 2) {
      values[i] = 0;
    }
    assertThat(tensor.toFloats()).isEqualTo(values);
  }

  @Test
  void wrongSizesAreRefusedWithBothNumbers() {
    Tensor tensor = cpu.zeros(DType.FP16, 2, 3);
    assertRefused("5 values given for FP16 tensor [2, 3]", () -> tensor.copyFrom(new float[5]));
    assertRefused("needed: exactly 12", () -> tensor.copyTo(ByteBuffer.allocate(6)));
    assertRefused("needed: exactly 6", () -> tensor.copyTo(new float[7]));
    assertRefused("read-only", () -> tensor.copyTo(FloatBuffer.allocate(6).asReadOnlyBuffer()));
    assertRefused("5 values given", () -> cpu.tensor(DType.FP32, new float[5], 2, 3));
    assertRefused("sizes of 1 and more", () -> cpu.zeros(DType.FP32, 2, 0));
    assertRefused("more elements", () -> cpu.zeros(DType.FP32, 1L << 40, 1L << 40));
    assertRefused("0 <= from < to <= 3", () -> tensor.slice(1, 2, 4));
    assertRefused("allowed: 0 to 1", () -> tensor.select(0, 2));
    assertRefused("allowed: 0 to 1", () -> tensor.select(2, 0));
    assertRefused("each dimension from 0 to 1 once", () -> tensor.permute(0, 0));
    assertRefused("shapes of 6 elements", () -> tensor.reshape(5));
    assertRefused("non-contiguous", () -> tensor.permute(1, 0).reshape(6));
  }

  @Test
  void aViewLivesAsLongAsItsTensor() {
    Tensor tensor = cpu.zeros(DType.FP32, 2, 3);
    Tensor view = tensor.select(0, 1);
    view.close();
    view.copyFrom(new float[] {1, 2, 3});
    assertThat(tensor.toFloats()).isEqualTo(new float[] {0, 0, 0, 1, 2, 3});
    tensor.close();
    tensor.close();
    IllegalStateException failure = assertThrows(IllegalStateException.class, view::toFloats);
    assertThat(failure).hasMessageThat().contains("FP32 tensor [2, 3]");
  }

  @Test
  void aBorrowedBufferIsSharedFromItsPositionOn() {
    ByteBuffer direct = ByteBuffer.allocateDirect(20).order(ByteOrder.nativeOrder());
    direct.putFloat(0, 9).putFloat(4, 1).putFloat(8, 2).position(4);
    try (Tensor tensor = cpu.borrow(DType.FP32, direct, 2, 2)) {
      assertThat(tensor.toFloats()).isEqualTo(new float[] {1, 2, 0, 0});
      tensor.copyFrom(new float[] {5, 6, 7, 8});
    }
    assertThat(direct.getFloat(0)).isEqualTo(9);
    assertThat(direct.getFloat(16)).isEqualTo(8);
    assertRefused("at least 20 bytes", () -> cpu.borrow(DType.FP32, direct, 5));
    assertRefused("direct buffer", () -> cpu.borrow(DType.FP32, ByteBuffer.allocate(64), 2));
    assertRefused(
        "native order",
        () ->
            cpu.borrow(
                DType.FP32,
                ByteBuffer.allocateDirect(64)
                    .order(
                        ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN
                            ? ByteOrder.LITTLE_ENDIAN
                            : ByteOrder.BIG_ENDIAN),
                2));
  }

  @Test
  void theCpuHasNoAddresses() {
    Tensor tensor = cpu.zeros(DType.FP32, 1);
    assertThrows(UnsupportedOperationException.class, tensor::address);
    assertThrows(UnsupportedOperationException.class, () -> cpu.borrow(DType.FP32, 4096L, 1));
    assertThrows(UnsupportedOperationException.class, () -> cpu.borrowStream(0));
  }

  @Test
  void aScalarIsWhatSelectingEveryDimensionLeaves() {
    Tensor scalar = cpu.tensor(DType.FP32, new float[] {4, 5}, 2).select(0, 1);
    assertThat(scalar.shape()).isEmpty();
    assertThat(scalar.toFloats()).isEqualTo(new float[] {5});
  }

  private static void assertRefused(String part, Runnable action) {
    IllegalArgumentException failure = assertThrows(IllegalArgumentException.class, action::run);
    assertThat(failure).hasMessageThat().contains(part);
  }
}
