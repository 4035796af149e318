package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.KernelSpec;

/** Sizes of the kernels of prefill and decode, which compute in fp32 whatever the spec's dtype. */
final class ServingPlan {
  /** A step is one tuple of tiles at degrees 2 and 3, four at degree 4. */
  private static final int STEP_FEATURES = 64;

  private static final int MOST_THREADS = 256;
  private static final int COLUMNS = 4; // value columns of a thread: 16 bytes
  private static final int MOST_ROWS = 8; // query rows that share one read of the state
  private static final int FOLD_TOKENS = 16; // tokens whose features are in shared memory

  private ServingPlan() {}

  /** Returns the sizes, and adds what the kernels need to the constants. */
  static ServingSizes of(KernelSpec spec, List<Constant> constants) {
    int headDim = spec.headDim();
    // All threads read 16 bytes of neighbouring features' rows of S at a time.
    int rowThreads = headDim / COLUMNS;
    int lanes = Math.min(STEP_FEATURES, Integer.highestOneBit(MOST_THREADS / rowThreads));
    int threads = lanes * rowThreads;
    int window = spec.windowTokens();
    int keyStride = headDim + 4;
    int itemStride = FOLD_TOKENS + 4;
    int floats =
        STEP_FEATURES * keyStride // keys
            + STEP_FEATURES * headDim // values
            + 2 * STEP_FEATURES * itemStride // features or weights, twice
            + MOST_ROWS * headDim // queries
            + STEP_FEATURES // weights of folded tokens
            + 2 * (threads / 32) * MOST_ROWS // sums over warps
            + (spec.gated() ? window : 0); // log gates
    int doubles = spec.gated() ? window + 2 : 0; // cumulative log gates
    int sharedBytes = floats * Float.BYTES + doubles * Double.BYTES;

    constants.add(new Constant("int", "kWindow", window, "slots W of a head's window"));
    constants.add(new Constant("int", "kDecodeFeatures", STEP_FEATURES, "features of a step"));
    constants.add(
        new Constant("int", "kFeatureLanes", lanes, "features that a block reads at a time"));
    constants.add(new Constant("int", "kDecodeThreads", threads, "threads of such a block"));
    constants.add(
        new Constant("int", "kDecodeSharedBytes", sharedBytes, "its shared memory, bytes"));
    int partialNumbers = headDim + (spec.normalized() ? COLUMNS : 0);
    constants.add(
        new Constant(
            "int", "kPartialNumbers", partialNumbers, "numbers that it leaves for a query row"));
    return new ServingSizes(STEP_FEATURES, threads, sharedBytes, partialNumbers);
  }
}
