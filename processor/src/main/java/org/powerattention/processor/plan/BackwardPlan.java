package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.KernelSpec;

/** Tile sizes of the backward kernels, and their constants. */
final class BackwardPlan {
  private BackwardPlan() {}

  static BackwardSizes of(KernelSpec spec, List<Constant> constants) {
    ForwardSizes forward = ForwardPlan.of(spec, constants);
    return new BackwardSizes(
        forward.stateFeatures(),
        forward.stateThreads(),
        forward.stateSharedBytes(),
        forward.outputRows(),
        forward.outputThreads(),
        forward.outputSharedBytes(),
        forward.outputRows(),
        forward.outputThreads(),
        forward.outputSharedBytes(),
        forward.snapshotBytes());
  }
}
