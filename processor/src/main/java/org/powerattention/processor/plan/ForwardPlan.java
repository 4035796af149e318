package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** Tile sizes of the forward kernels, and their constants. */
final class ForwardPlan {
  private ForwardPlan() {}

  static ForwardSizes of(KernelSpec spec, Family family, List<Constant> constants) {
    ForwardSizes sizes =
        spec.dtype() == DType.FP32
            ? FullPrecisionTiling.of(spec, constants)
            : family.multipliesInGroups(spec)
                ? HopperTiling.of(spec, constants)
                : TensorCoreTiling.of(spec, constants);
    Snapshots.add(spec, constants);
    constants.add(
        new Constant("int", "kOutputRows", sizes.outputRows(), "query rows of an output block"));
    constants.add(new Constant("int", "kOutputThreads", sizes.outputThreads(), "its threads"));
    constants.add(
        new Constant(
            "int", "kOutputSharedBytes", sizes.outputSharedBytes(), "its shared memory, bytes"));
    constants.add(
        new Constant("int", "kStateFeatures", sizes.stateFeatures(), "features of a state block"));
    constants.add(new Constant("int", "kStateThreads", sizes.stateThreads(), "its threads"));
    constants.add(
        new Constant(
            "int", "kStateSharedBytes", sizes.stateSharedBytes(), "its shared memory, bytes"));
    constants.add(
        new Constant(
            "long long",
            "kSnapshotBytes",
            sizes.snapshotBytes(),
            "state of one head at one chunk's start, bytes"));
    constants.add(RowTiles.turn(sizes.snapshotBytes()));
    return sizes;
  }
}
