package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** Tile sizes of the BF16 and FP16 kernels, which multiply 16 x 16 by 16 x 8 tiles by warp. */
final class TensorCoreTiling {
  private static final int WARP = 32;
  private static final int OUTPUT_WARPS = 4;
  private static final int MAX_STATE_WARPS = 4;
  private static final int STATE_TOKENS = 64; // kStateTokens of tiles.cuh
  private static final int ELEMENT_BYTES = 2;

  private TensorCoreTiling() {}

  static ForwardSizes of(KernelSpec spec, List<Constant> constants) {
    int headDim = spec.headDim();
    boolean wide = headDim > 64;
    boolean half = spec.dtype() == DType.FP16;
    int rowStride = headDim + 8;
    int rowBytes = rowStride * ELEMENT_BYTES;

    int features = spec.featureDim();

    // Output: two blocks of 16 rows a warp share every operand read from shared memory, where the
    // chunk can be cut that way. Registers and 99 KiB of shared memory (consumer GPUs) set the
    // rest.
    int rowBlocks = spec.chunk() % 128 == 0 && !(wide && half) ? 2 : 1;
    int outputRows = OUTPUT_WARPS * rowBlocks * 16;
    int keyTile = wide ? 32 : 64;
    int slab = wide && half ? 32 : Snapshots.SLAB_FEATURES;
    int slabRowBytes =
        half
            ? (headDim + 4 + (spec.normalized() ? 1 : 0)) * Float.BYTES
            : Snapshots.columns(spec) * ELEMENT_BYTES;
    int stages = 2;
    int keyBytes = stages * 2 * keyTile * rowBytes;
    int slabBytes = stages * slab * slabRowBytes;
    int gateBytes = spec.gated() ? stages * keyTile * Float.BYTES : 0;
    int outputShared = outputRows * rowBytes + Math.max(keyBytes, slabBytes) + gateBytes;

    // State: a warp's accumulators are its features times all value columns, in registers.
    int warpFeatures = wide || half ? 32 : 64;
    if (spec.degree() == 1) {
      warpFeatures = (features + 63) / 64 * 16;
    }
    int stateWarps = Math.min(MAX_STATE_WARPS, (features + warpFeatures - 1) / warpFeatures);
    int keyStride = STATE_TOKENS + 16;
    int weightBytes = (spec.normalized() ? 2 : 1) * 2 * STATE_TOKENS * Float.BYTES;
    int stateShared =
        3 * STATE_TOKENS * rowBytes + headDim * keyStride * ELEMENT_BYTES + weightBytes;

    constants.add(
        new Constant("int", "kRowStride", rowStride, "elements of a row in shared memory"));
    constants.add(new Constant("int", "kRowBlocks", rowBlocks, "blocks of 16 rows of a warp"));
    constants.add(new Constant("int", "kKeyTile", keyTile, "keys of a step of attention"));
    constants.add(new Constant("int", "kSlab", slab, "features of a snapshot of a step of output"));
    constants.add(
        new Constant("int", "kWarpBlocks", warpFeatures / 16, "blocks of 16 features of a warp"));
    return new ForwardSizes(
        outputRows,
        OUTPUT_WARPS * WARP,
        outputShared,
        stateWarps * warpFeatures,
        stateWarps * WARP,
        stateShared,
        Snapshots.stateBytes(spec),
        false);
  }
}
