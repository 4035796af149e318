package org.powerattention.processor.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.FeatureMap;
import org.powerattention.annotations.KernelSpec;

/**
 * How a spec's kernels are written for a family.
 *
 * @param spec what was declared
 * @param family what it is written for
 * @param symbols the names that conditionals in the CUDA pieces test, with their values
 * @param constants the constants at the head of the source, in order
 * @param sizes what launches must know
 */
public record KernelPlan(
    KernelSpec spec,
    Family family,
    Map<String, Integer> symbols,
    List<Constant> constants,
    LaunchSizes sizes) {
  /** Copies the collections. */
  public KernelPlan {
    symbols = Map.copyOf(symbols);
    constants = List.copyOf(constants);
  }

  /** Plans a spec's kernels. */
  public static KernelPlan of(KernelSpec spec, Family family) {
    FeatureMap map = spec.featureMap();
    List<Constant> constants = new ArrayList<>();
    constants.add(new Constant("int", "kDegree", spec.degree(), "p"));
    constants.add(new Constant("int", "kHeadDim", spec.headDim(), "d"));
    constants.add(new Constant("int", "kFeatures", map.size(), "D"));
    constants.add(new Constant("int", "kTileSize", map.tile(), "tau"));
    constants.add(new Constant("int", "kTiles", spec.headDim() / map.tile(), "d / tau"));
    LaunchSizes sizes =
        spec.dtype() == DType.FP32
            ? FullPrecisionTiling.of(spec, constants)
            : TensorCoreTiling.of(spec, constants);
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
    return new KernelPlan(spec, family, symbols(spec, family), constants, sizes);
  }

  private static Map<String, Integer> symbols(KernelSpec spec, Family family) {
    Map<String, Integer> symbols = new TreeMap<>();
    symbols.put("DEGREE", spec.degree());
    for (DType dtype : DType.values()) {
      symbols.put(dtype.name(), spec.dtype() == dtype ? 1 : 0);
    }
    symbols.put("GATED", spec.gated() ? 1 : 0);
    symbols.put("NORMALIZED", spec.normalized() ? 1 : 0);
    symbols.put("SM90", family == Family.SM_90A ? 1 : 0);
    return symbols;
  }
}
