package org.powerattention.examples.benchmarks;

import org.powerattention.annotations.DType;
import org.powerattention.kernels.Power2Dim64UngatedLauncher;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Tensor;

/**
 * A program that does one forward call and prints that it has its result. The first argument is
 * {@code cpu} or {@code gpu}, or {@code nothing} for the virtual machine alone.
 */
final class FirstResult {
  static final String LINE = "first result";

  private static final int TOKENS = 128;
  private static final int HEAD_DIM = 64;

  private FirstResult() {}

  /** Runs it. */
  public static void main(String[] arguments) {
    if (arguments[0].equals("nothing")) {
      System.out.println(LINE);
      return;
    }
    float[] numbers = new float[TOKENS * HEAD_DIM];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = i % 13 - 6;
    }
    try (Accelerator device = arguments[0].equals("gpu") ? Accelerator.cuda(0) : Accelerator.cpu();
        Power2Dim64UngatedLauncher attention = Power2Dim64UngatedLauncher.on(device);
        Tensor x = device.tensor(DType.BF16, numbers, 1, TOKENS, 1, HEAD_DIM);
        Tensor y = attention.forward(x, x, x)) {
      // The first row is the first value, of which it is the mean.
      if (y.toFloats()[0] != numbers[0]) {
        throw new IllegalStateException("wrong result");
      }
      System.out.println(LINE);
    }
  }
}
