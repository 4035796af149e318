package org.powerattention.runtime.cuda;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ServingTiling;

/**
 * How walks over states are cut into thread blocks.
 *
 * @param splits blocks that share one key/value head's state
 * @param splitFeatures features of each but the last, whole steps
 * @param workspaceBytes bytes of what the blocks of a decode call leave for each query row
 */
record DecodePlan(long splits, long splitFeatures, long workspaceBytes) {
  /**
   * Blocks for each multiprocessor: as many as it holds, and as many again, so that all are busy to
   * the end.
   */
  private static final long BLOCKS_PER_MULTIPROCESSOR = 8;

  /** More parts than this take longer to add than they save. */
  private static final long MOST_SPLITS = 256;

  static DecodePlan of(
      KernelSpec spec,
      ServingTiling tiling,
      int batch,
      int queryHeads,
      int keyHeads,
      int multiprocessors) {
    long heads = (long) batch * keyHeads;
    long steps = ForwardPlan.divideUp(spec.featureDim(), tiling.decodeFeatures());
    long wanted = ForwardPlan.divideUp(BLOCKS_PER_MULTIPROCESSOR * multiprocessors, heads);
    long stepsPerSplit =
        ForwardPlan.divideUp(steps, Math.min(wanted, Math.min(steps, MOST_SPLITS)));
    long splits = ForwardPlan.divideUp(steps, stepsPerSplit);
    return new DecodePlan(
        splits,
        stepsPerSplit * tiling.decodeFeatures(),
        (long) batch * queryHeads * splits * tiling.partialNumbers() * Float.BYTES);
  }
}
