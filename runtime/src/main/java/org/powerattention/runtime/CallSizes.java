package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.CallShape;

/**
 * The sizes of a call.
 *
 * @param batch number of sequences
 * @param tokens tokens per sequence; of packed sequences, those of the longest
 * @param queryHeads query heads
 * @param keyHeads key/value heads
 * @param packed where the sequences lie, if they are packed
 */
record CallSizes(
    int batch, int tokens, int queryHeads, int keyHeads, @Nullable PackedSequences packed) {
  /** Most thread blocks along a CUDA grid's third dimension, which counts batch times heads. */
  static final int MAX_BATCH_HEADS = 65_535;

  /**
   * Checks ranges.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  CallSizes {
    checkRange("batch", batch);
    checkRange("tokens", tokens);
    checkRange("queryHeads", queryHeads);
    checkRange("keyHeads", keyHeads);
    if (queryHeads % keyHeads != 0) {
      throw new IllegalArgumentException(
          "queryHeads = "
              + queryHeads
              + " with keyHeads = "
              + keyHeads
              + "; allowed: multiples of the number of key/value heads");
    }
    if ((long) batch * queryHeads > MAX_BATCH_HEADS) {
      throw new IllegalArgumentException(
          "batch * queryHeads = "
              + (long) batch * queryHeads
              + "; allowed: up to "
              + MAX_BATCH_HEADS
              + "; split the batch into several calls");
    }
  }

  /**
   * Returns the sizes of a call over device addresses.
   *
   * @param tokens tokens per sequence; of packed sequences, those of all together
   * @throws IllegalArgumentException if one is out of its range, or does not fit the packing
   */
  static CallSizes ofRaw(
      int batch, int tokens, int queryHeads, int keyHeads, @Nullable PackedSequences packed) {
    if (packed == null) {
      return new CallSizes(batch, tokens, queryHeads, keyHeads, null);
    }
    if (batch != packed.count() || tokens != packed.tokens()) {
      throw new IllegalArgumentException(
          "batch = " + batch + " and tokens = " + tokens + " given for " + packed);
    }
    return new CallSizes(batch, packed.longest(), queryHeads, keyHeads, packed);
  }

  private static void checkRange(String name, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " = " + value + "; allowed: 1 and more");
    }
  }

  /** Returns the number of tokens of all sequences together. */
  long rows() {
    return packed == null ? (long) batch * tokens : packed.tokens();
  }

  CallShape shape() {
    return new CallShape(batch, tokens, queryHeads, keyHeads);
  }

  long[] queryShape(KernelSpec spec) {
    return packed == null
        ? new long[] {batch, tokens, queryHeads, spec.headDim()}
        : new long[] {packed.tokens(), queryHeads, spec.headDim()};
  }

  long[] keyShape(KernelSpec spec) {
    return packed == null
        ? new long[] {batch, tokens, keyHeads, spec.headDim()}
        : new long[] {packed.tokens(), keyHeads, spec.headDim()};
  }

  long[] gateShape() {
    return packed == null
        ? new long[] {batch, tokens, keyHeads}
        : new long[] {packed.tokens(), keyHeads};
  }
}
