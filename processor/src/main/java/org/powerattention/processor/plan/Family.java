package org.powerattention.processor.plan;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** An architecture family that sources are generated for. */
public enum Family {
  /** Tensor cores by {@code mma.sync} and {@code cp.async}: Ampere and everything after it. */
  SM_80("sm_80"),
  /**
   * Hopper: for BF16, the asynchronous products of {@code wgmma} where kernels are written for it.
   */
  SM_90A("sm_90a");

  private final String architecture;

  Family(String architecture) {
    this.architecture = architecture;
  }

  /** Returns the architecture's name as NVIDIA's compilers take it. */
  public String architecture() {
    return architecture;
  }

  /**
   * Returns whether a spec's products are those of warpgroups. FP16 keeps to {@code mma.sync}: its
   * powers and states need TF32, whose operands in shared memory cannot be transposed.
   */
  boolean multipliesInGroups(KernelSpec spec) {
    return this == SM_90A && spec.dtype() == DType.BF16;
  }
}
