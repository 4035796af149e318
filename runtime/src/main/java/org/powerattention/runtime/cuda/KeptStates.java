package org.powerattention.runtime.cuda;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.spi.CallShape;
import org.powerattention.runtime.spi.PackedView;

/**
 * Where the states at the chunks' starts lie that a forward call keeps for the backward call: first
 * the snapshots, then of a normalised operator in BF16 their key sums z in fp32, which others have
 * in the snapshots.
 *
 * @param keySumsOffset bytes before the key sums
 * @param bytes bytes of all
 */
record KeptStates(long keySumsOffset, long bytes) {
  static KeptStates of(
      KernelSpec spec,
      ForwardTiling tiling,
      CallShape shape,
      boolean chunked,
      @Nullable PackedView packed) {
    Chunks cut = Chunks.of(spec, chunked, shape.batch(), shape.tokens(), packed);
    long places = shape.keyHeads() * cut.places();
    long snapshots = ForwardPlan.align(places * tiling.snapshotBytes());
    return new KeptStates(snapshots, snapshots + places * keySumBytes(spec));
  }

  /** Returns the bytes of the key sums that lie apart, of one state. */
  static long keySumBytes(KernelSpec spec) {
    return spec.normalized() && spec.dtype() == DType.BF16
        ? (long) spec.featureDim() * Float.BYTES
        : 0;
  }
}
