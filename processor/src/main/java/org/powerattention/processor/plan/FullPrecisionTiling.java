package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.KernelSpec;

/** Tile sizes of the FP32 kernels, which use no tensor core. */
final class FullPrecisionTiling {
  private static final int THREADS = 256;
  private static final int OUTPUT_ROWS = 64;
  private static final int STATE_FEATURES = 64;
  private static final int STEP = 32; // kStep and kStateTokens of the FP32 pieces
  private static final int FEATURE_BYTES = 8; // struct Feature of features_fp32.cuh

  private FullPrecisionTiling() {}

  static ForwardSizes of(KernelSpec spec, List<Constant> constants) {
    int headDim = spec.headDim();
    int rowStride = headDim + 4;
    int outputFloats =
        OUTPUT_ROWS * rowStride
            + 2 * STEP * rowStride
            + OUTPUT_ROWS * (STEP + 4)
            + (spec.normalized() ? STEP : 0);
    int stateFloats = 2 * STEP * headDim + STEP * STATE_FEATURES + STEP;
    constants.add(
        new Constant("int", "kRowStride", rowStride, "elements of a row in shared memory"));
    return new ForwardSizes(
        OUTPUT_ROWS,
        THREADS,
        outputFloats * Float.BYTES + STEP * FEATURE_BYTES,
        STATE_FEATURES,
        THREADS,
        stateFloats * Float.BYTES + STATE_FEATURES * FEATURE_BYTES,
        Snapshots.stateBytes(spec),
        false);
  }
}
