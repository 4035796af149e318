package org.powerattention.runtime.cuda;

import org.powerattention.runtime.Tiling;

/**
 * What a walk along a sequence costs, by which segments are chosen that are walked at the same
 * time. From bytes and products, in times of a thread block's walk over a chunk.
 *
 * @param blocks thread blocks of a walk that a multiprocessor holds
 * @param join time to join a chunk's states to those before
 * @param carry time to read the state of a segment before
 */
record WalkCosts(int blocks, double join, double carry) {
  private static final WalkCosts BY_WARPGROUPS = new WalkCosts(1, 0.4, 0.3);
  private static final WalkCosts BY_WARPS = new WalkCosts(2, 0.1, 0.1);

  /** Most segments that join_segments and join_gradients take. */
  private static final long MOST_JOINED = 256;

  static WalkCosts of(Tiling tiling) {
    return tiling.byWarpgroups() ? BY_WARPGROUPS : BY_WARPS;
  }

  /**
   * Returns the chunks of a segment with which a walk and what joins its segments take the least
   * time.
   *
   * @param all thread blocks of a walk that is one segment
   */
  long fastestSegment(long all, long chunks, int multiprocessors) {
    long places = (long) blocks * multiprocessors;
    long fastest = chunks;
    double least = Double.POSITIVE_INFINITY;
    for (long count = 1; count <= Math.min(chunks, MOST_JOINED); count++) {
      long perSegment = ForwardPlan.divideUp(chunks, count);
      long segments = ForwardPlan.divideUp(chunks, perSegment);
      double walk = ForwardPlan.divideUp(all * segments, places) * perSegment;
      double joined = join * (chunks - perSegment) + carry * segments * (segments - 1) / 2;
      double time = walk + joined * all / places;
      if (time < least) {
        least = time;
        fastest = perSegment;
      }
    }
    return fastest;
  }
}
