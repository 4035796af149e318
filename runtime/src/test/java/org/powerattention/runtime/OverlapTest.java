package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;

final class OverlapTest {
  private final FakeBackend backend = new FakeBackend(true);
  private final Accelerator device = new Accelerator(backend);

  @AfterEach
  void close() {
    device.close();
  }

  @Test
  void randomViewsOverlapExactlyIfTheyShareAByte() {
    Random random = new Random(3);
    int overlapping = 0;
    for (int i = 0; i < 5_000; i++) {
      Tensor first = randomTensor(random);
      Tensor second = randomTensor(random);
      Set<Long> bytes = bytesOf(first);
      bytes.retainAll(bytesOf(second));
      overlapping += bytes.isEmpty() ? 0 : 1;
      assertWithMessage("%s and %s", first, second)
          .that(Overlap.exists(first, second))
          .isEqualTo(!bytes.isEmpty());
    }
    // Both answers must have been asked for often.
    assertThat(overlapping).isGreaterThan(500);
    assertThat(overlapping).isLessThan(4_500);
  }

  @Test
  void slicesOfOneFusedTensorAreApart() {
    Tensor fused = device.zeros(DType.BF16, 2, 100, 3, 8, 64);
    assertThat(Overlap.exists(fused.select(2, 0), fused.select(2, 1))).isFalse();
    assertThat(Overlap.exists(fused.select(2, 1), fused.select(2, 1).slice(1, 99, 100))).isTrue();
    assertThat(Overlap.exists(fused.slice(4, 0, 32), fused.slice(4, 32, 64))).isFalse();
  }

  @Test
  void separateAllocationsAreApart() {
    Tensor first = device.zeros(DType.FP32, 64);
    Tensor second = device.zeros(DType.FP32, 64);
    assertThat(Overlap.exists(first, second)).isFalse();
    assertThat(Overlap.exists(first, first)).isTrue();
  }

  private Tensor randomTensor(Random random) {
    int rank = 1 + random.nextInt(3);
    long[] shape = new long[rank];
    long[] strides = new long[rank];
    for (int k = 0; k < rank; k++) {
      shape[k] = random.nextInt(1, 5);
      strides[k] = random.nextInt(k == 0 ? 30 : 9);
    }
    DType dtype = random.nextBoolean() ? DType.BF16 : DType.FP32;
    return device.borrow(dtype, 1000 + 4L * random.nextInt(20), shape, strides);
  }

  private static Set<Long> bytesOf(Tensor tensor) {
    Set<Long> bytes = new HashSet<>();
    long[] shape = tensor.shape();
    long[] strides = tensor.strides();
    for (long i = 0; i < tensor.elements(); i++) {
      long rest = i;
      long position = 0;
      for (int k = shape.length - 1; k >= 0; k--) {
        position += rest % shape[k] * strides[k];
        rest /= shape[k];
      }
      for (long b = 0; b < tensor.dtype().bytes(); b++) {
        bytes.add(tensor.address() + position * tensor.dtype().bytes() + b);
      }
    }
    return bytes;
  }
}
