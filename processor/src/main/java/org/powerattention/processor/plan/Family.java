package org.powerattention.processor.plan;

/** An architecture family that sources are generated for. */
public enum Family {
  /** Tensor cores by {@code mma.sync} and {@code cp.async}: Ampere and everything after it. */
  SM_80("sm_80"),
  /** Hopper: {@code wgmma} where kernels are written for it. */
  SM_90A("sm_90a");

  private final String architecture;

  Family(String architecture) {
    this.architecture = architecture;
  }

  /** Returns the architecture's name as NVIDIA's compilers take it. */
  public String architecture() {
    return architecture;
  }
}
