package org.powerattention.runtime.cuda;

import org.powerattention.annotations.KernelSpec;

/** How the kernels of {@code joints.cuh} are cut into thread blocks. */
final class Joints {
  /** Tokens on each side of a joint of two calls: kOverlap of chunks.cuh. */
  static final int TOKENS = 64;

  /** Rows of a block that contracts: kContractRows of gradient_joints.cuh. */
  static final int CONTRACT_ROWS = 16;

  static final int CONTRACT_THREADS = 256; // kContractThreads of gradient_joints.cuh
  static final int SUM_THREADS = 256; // kJointSumThreads of joints.cuh

  private static final int RUN_FEATURES = 16; // kRun of joints.cuh

  /** More parts than these are hardly shorter than what a block does before the first. */
  private static final int MOST_PARTS = 64;

  /** Thread blocks that fill a GPU; each leaves its share in the workspace. */
  private static final long ENOUGH_BLOCKS = 1024;

  private Joints() {}

  /** Returns the blocks that share the features of a head. */
  static long parts(KernelSpec spec, long heads) {
    long most = Math.min(MOST_PARTS, spec.featureDim() / RUN_FEATURES);
    return Math.max(1, Math.min(most, ENOUGH_BLOCKS / Math.max(1, heads)));
  }

  /** Returns the threads of a block: kJointThreads of joints.cuh, some for each value column. */
  static int threads(KernelSpec spec) {
    return spec.headDim() * Integer.highestOneBit(256 / spec.headDim());
  }
}
