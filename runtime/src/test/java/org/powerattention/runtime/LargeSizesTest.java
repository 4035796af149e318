package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;

/** Sizes of which products exceed 32 bits, on a fake GPU whose memory has no end. */
final class LargeSizesTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);
  private static final int CASES = 300;

  private final Random random = new Random(5);
  private long address = 1L << 40;

  private Tensor borrow(Accelerator device, DType dtype, long... shape) {
    Tensor tensor = device.borrow(dtype, address, shape);
    address += (tensor.elements() * dtype.bytes() + 511) / 256 * 256;
    return tensor;
  }

  /** A size whose logarithm is uniform. */
  private long size(int mostBits) {
    long bound = 1L << random.nextInt(mostBits + 1);
    return 1 + (long) (random.nextDouble() * bound);
  }

  @Test
  void aCallIsLaunchedWholeOrRefusedBeforeAnyLaunch() {
    int launched = 0;
    int beyond = 0;
    for (int n = 0; n < CASES; n++) {
      FakeCuda cuda = new FakeCuda();
      address = 1L << 40;
      long batch = size(12);
      long tokens = size(33);
      long heads = size(10);
      String what = batch + " x " + tokens + " x " + heads;
      try (Accelerator device = new Accelerator(cuda.open());
          PowerAttentionOperator operator =
              PowerAttentionOperator.load(device, FakeCuda.program("Large", SPEC))) {
        Tensor q = borrow(device, DType.BF16, batch, tokens, heads, 16);
        Tensor y = borrow(device, DType.BF16, batch, tokens, heads, 16);
        Tensor logG = borrow(device, DType.FP32, batch, tokens, heads);
        Form form = random.nextBoolean() ? Form.ATTENTION : Form.CHUNKED;
        int before = launches(cuda);
        try {
          operator.forwardInto(y, q, q, q, logG, ForwardOptions.defaults().form(form));
          assertWithMessage(what).that(launches(cuda)).isGreaterThan(before);
          launched++;
          beyond += q.elements() > Integer.MAX_VALUE ? 1 : 0;
        } catch (IllegalArgumentException e) {
          assertWithMessage(what).that(launches(cuda)).isEqualTo(before);
          assertWithMessage(what)
              .that(tokens > Integer.MAX_VALUE || batch * heads > 65_535)
              .isTrue();
          assertThat(e).hasMessageThat().containsMatch("allowed: up to (2147483647|65535)");
        }
      }
    }
    assertThat(launched).isGreaterThan(CASES / 4);
    assertThat(beyond).isGreaterThan(CASES / 10);
  }

  private static int launches(FakeCuda cuda) {
    return (int) cuda.calls.stream().filter(call -> call.equals("cuLaunchKernel")).count();
  }
}
