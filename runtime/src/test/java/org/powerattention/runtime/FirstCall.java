package org.powerattention.runtime;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;

/** A program that does one forward call, on the CPU or, given {@code gpu}, on a fake device. */
public final class FirstCall {
  private FirstCall() {}

  /** Runs it. */
  public static void main(String[] arguments) {
    KernelSpec spec = new KernelSpec(2, 16, 64, DType.BF16, false, true);
    try (Accelerator device =
            arguments.length > 0 ? new Accelerator(new FakeCuda().open()) : Accelerator.cpu();
        PowerAttentionOperator operator =
            PowerAttentionOperator.load(device, FakeCuda.program("Layer", spec));
        Tensor x = device.tensor(DType.BF16, new float[100 * 16], 1, 100, 1, 16);
        Tensor y = operator.forward(x, x, x, null, ForwardOptions.defaults())) {
      y.toFloats();
    }
  }
}
