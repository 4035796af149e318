package org.powerattention.runtime.cuda;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ServingTiling;

/**
 * How walks over states are cut into thread blocks.
 *
 * @param splits blocks that share one key/value head's state
 * @param splitFeatures features of each but the last, whole steps
 * @param arrivalBytes bytes of the counts of blocks that are done, of each key/value head; they are
 *     zero before a decode call and after it
 * @param partialBytes bytes of what the blocks of a decode call leave for each query row
 */
record DecodePlan(long splits, long splitFeatures, long arrivalBytes, long partialBytes) {
  /** More parts than this take longer to add than they save. */
  private static final long MOST_SPLITS = 256;

  /**
   * Plans a walk. Blocks are as many as the device holds, but at least one for each head: each
   * takes a while to start and to end, in which it reads little.
   *
   * @param places blocks that the device holds at a time
   */
  static DecodePlan of(
      KernelSpec spec, ServingTiling tiling, int batch, int queryHeads, int keyHeads, long places) {
    long heads = (long) batch * keyHeads;
    long steps = ForwardPlan.divideUp(spec.featureDim(), tiling.decodeFeatures());
    long wanted = Math.max(1, Math.min(places / heads, MOST_SPLITS));
    long stepsPerSplit = ForwardPlan.divideUp(steps, wanted);
    long splits = ForwardPlan.divideUp(steps, stepsPerSplit);
    return new DecodePlan(
        splits,
        stepsPerSplit * tiling.decodeFeatures(),
        heads * Integer.BYTES,
        (long) batch * queryHeads * splits * tiling.partialNumbers() * Float.BYTES);
  }

  /** Returns where the parts begin. */
  long partialsOffset() {
    return ForwardPlan.align(arrivalBytes);
  }

  /** Returns the bytes of the workspace of a decode call. */
  long workspaceBytes() {
    return partialsOffset() + partialBytes;
  }
}
