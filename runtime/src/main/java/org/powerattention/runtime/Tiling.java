package org.powerattention.runtime;

/** The sizes that a generated CUDA source was written with and that its launches must use. */
public sealed interface Tiling permits ForwardTiling, BackwardTiling, ServingTiling {
  /**
   * Returns whether the source's kernels multiply by warpgroups, with Hopper's own instructions.
   */
  default boolean byWarpgroups() {
    return false;
  }
}
