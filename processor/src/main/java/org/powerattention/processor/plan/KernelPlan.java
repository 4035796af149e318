package org.powerattention.processor.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.FeatureMap;
import org.powerattention.annotations.KernelSpec;

/**
 * How a part of a spec's kernels is written for a family.
 *
 * @param spec what was declared
 * @param part which of its kernels
 * @param family what it is written for
 * @param symbols the names that conditionals in the CUDA pieces test, with their values
 * @param constants the constants at the head of the source, in order
 * @param sizes what launches must know
 */
public record KernelPlan(
    KernelSpec spec,
    Part part,
    Family family,
    Map<String, Integer> symbols,
    List<Constant> constants,
    LaunchSizes sizes) {
  /** Copies the collections. */
  public KernelPlan {
    symbols = Map.copyOf(symbols);
    constants = List.copyOf(constants);
  }

  /** Plans a part of a spec's kernels. */
  public static KernelPlan of(KernelSpec spec, Part part, Family family) {
    FeatureMap map = spec.featureMap();
    List<Constant> constants = new ArrayList<>();
    constants.add(new Constant("int", "kDegree", spec.degree(), "p"));
    constants.add(new Constant("int", "kHeadDim", spec.headDim(), "d"));
    constants.add(new Constant("int", "kFeatures", map.size(), "D"));
    constants.add(new Constant("int", "kTileSize", map.tile(), "tau"));
    constants.add(new Constant("int", "kTiles", spec.headDim() / map.tile(), "d / tau"));
    LaunchSizes sizes =
        switch (part) {
          case FORWARD -> ForwardPlan.of(spec, family, constants);
          case BACKWARD -> BackwardPlan.of(spec, family, constants);
          case SERVING -> ServingPlan.of(spec, constants);
        };
    return new KernelPlan(spec, part, family, symbols(spec, part, family), constants, sizes);
  }

  /** Plans all of a spec's kernels: part after part, each with its families, oldest first. */
  public static List<KernelPlan> all(KernelSpec spec) {
    return Stream.of(Part.values())
        .flatMap(part -> part.families().stream().map(family -> of(spec, part, family)))
        .toList();
  }

  /** Returns the bytes that the forward kernels take for a head's state at a chunk. */
  public static long snapshotBytes(KernelSpec spec) {
    return Snapshots.stateBytes(spec);
  }

  /**
   * Returns the bytes of a head's state at a chunk that a forward call keeps for the backward call;
   * 0 if that computes it again.
   */
  public static long keptStateBytes(KernelSpec spec) {
    return spec.keepsStates() ? Snapshots.stateBytes(spec) + Snapshots.keptBytes(spec) : 0;
  }

  private static Map<String, Integer> symbols(KernelSpec spec, Part part, Family family) {
    Map<String, Integer> symbols = new TreeMap<>();
    symbols.put("DEGREE", spec.degree());
    for (DType dtype : DType.values()) {
      symbols.put(dtype.name(), spec.dtype() == dtype ? 1 : 0);
    }
    symbols.put("GATED", spec.gated() ? 1 : 0);
    symbols.put("NORMALIZED", spec.normalized() ? 1 : 0);
    symbols.put("SM90", family == Family.SM_90A ? 1 : 0);
    symbols.put("WGMMA", usesWgmma(spec, part, family) ? 1 : 0);
    symbols.put("STRIP", BackwardPlan.stripColumns(spec));
    return symbols;
  }

  /** Whether kernels of a part are written with {@code wgmma}. */
  private static boolean usesWgmma(KernelSpec spec, Part part, Family family) {
    return switch (part) {
      case FORWARD -> family.multipliesInGroups(spec);
      case BACKWARD -> BackwardPlan.usesWgmma(spec, family);
      case SERVING -> false;
    };
  }
}
