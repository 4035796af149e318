package org.powerattention.runtime.cuda;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.PackedView;

/**
 * How the sequences of a call are cut into chunks.
 *
 * @param length tokens per chunk: the spec's, or all of a sequence in attention form
 * @param count chunks of a sequence; of packed sequences, those of the longest
 * @param allTokens tokens of all sequences
 * @param places places for the snapshots of one head; a packed sequence takes one for each whole
 *     chunk that precedes it among all tokens and one more for each sequence
 */
record Chunks(long length, long count, long allTokens, long places) {
  static Chunks of(
      KernelSpec spec, boolean chunked, int batch, int tokens, @Nullable PackedView packed) {
    long longest = Math.max(1, tokens); // all packed sequences may be empty
    long length = chunked ? spec.chunk() : longest;
    long count = ForwardPlan.divideUp(longest, length);
    long allTokens = packed == null ? batch * longest : packed.offsets()[batch];
    long places = packed == null ? batch * count : allTokens / length + batch;
    return new Chunks(length, count, allTokens, places);
  }
}
