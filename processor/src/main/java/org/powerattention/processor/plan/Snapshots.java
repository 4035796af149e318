package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/**
 * Sizes of what {@code snapshots.cuh} describes: the state at a chunk's start, and the gradient of
 * one, of one key/value head.
 */
final class Snapshots {
  /** Features of a slab, kSlabFeatures of snapshots.cuh. */
  static final int SLAB_FEATURES = 64;

  /** Columns of a core matrix, of which z takes one. */
  private static final int CORE_COLUMNS = 8;

  private static final int BF16_BYTES = 2;

  private Snapshots() {}

  /** Adds the constants that all kernels have of them. */
  static void add(KernelSpec spec, List<Constant> constants) {
    if (spec.dtype() == DType.BF16) {
      constants.add(
          new Constant(
              "int",
              "kSumColumns",
              columns(spec),
              "value columns, and those of the sums of weights"));
    }
  }

  /** Returns the columns of a slab of a state in BF16: those of S, and of z. */
  static int columns(KernelSpec spec) {
    return spec.headDim() + (spec.normalized() ? CORE_COLUMNS : 0);
  }

  /** Returns the bytes of a state as the forward kernels read it. */
  static long stateBytes(KernelSpec spec) {
    return spec.dtype() == DType.BF16
        ? paddedFeatures(spec) * columns(spec) * BF16_BYTES
        : spec.stateBytes();
  }

  /** Returns the bytes that a state takes besides where the backward kernels read it: z in fp32. */
  static long keptBytes(KernelSpec spec) {
    return spec.dtype() == DType.BF16 ? keySumBytes(spec) : 0;
  }

  /** Returns the bytes of the gradient of a state. */
  static long gradientBytes(KernelSpec spec) {
    return spec.dtype() == DType.BF16
        ? paddedFeatures(spec) * spec.headDim() * BF16_BYTES + keySumBytes(spec)
        : spec.stateBytes();
  }

  private static long keySumBytes(KernelSpec spec) {
    return spec.normalized() ? (long) spec.featureDim() * Float.BYTES : 0;
  }

  private static long paddedFeatures(KernelSpec spec) {
    return (spec.featureDim() + SLAB_FEATURES - 1L) / SLAB_FEATURES * SLAB_FEATURES;
  }
}
