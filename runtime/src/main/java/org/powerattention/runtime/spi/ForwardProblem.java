package org.powerattention.runtime.spi;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * A checked forward call.
 *
 * @param spec the operator's spec
 * @param batch number of sequences b
 * @param tokens tokens per sequence t; of packed sequences, those of the longest
 * @param queryHeads query heads hq, a multiple of {@code keyHeads}
 * @param keyHeads key/value heads h
 * @param scale factor of {@code <q, k>}
 * @param chunked whether to use the chunked form
 * @param q queries [b, t, hq, d]
 * @param k keys [b, t, h, d]
 * @param v values [b, t, h, d]
 * @param logG fp32 log gates [b, t, h]; null if the spec is not gated
 * @param y output [b, t, hq, d]; null where only what is saved is wanted, on CUDA
 * @param initialState state before the first token, whose window is empty; or null for zero
 * @param finalState where to write the state after the last token, without a window; or null
 * @param saved where to keep what the backward call needs; or null. On CUDA, where y is null only
 *     what it has room for is computed
 * @param packed where the sequences lie, if they are packed; or null
 * @param stream stream handle; 0 is the default stream
 */
public record ForwardProblem(
    KernelSpec spec,
    int batch,
    int tokens,
    int queryHeads,
    int keyHeads,
    double scale,
    boolean chunked,
    TensorView q,
    TensorView k,
    TensorView v,
    @Nullable TensorView logG,
    @Nullable TensorView y,
    @Nullable StateView initialState,
    @Nullable StateView finalState,
    @Nullable SavedView saved,
    @Nullable PackedView packed,
    long stream) {
  /** Returns the sizes; of packed sequences, as if all were as long as the longest. */
  public CallShape shape() {
    return new CallShape(batch, tokens, queryHeads, keyHeads);
  }
}
