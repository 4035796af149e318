package org.powerattention.runtime.spi;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * A checked backward call: gradients of a loss with respect to the inputs of a forward call, from
 * those with respect to its results.
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
 * @param dY gradient of y [b, t, hq, d]
 * @param dQ gradient of q, written
 * @param dK gradient of k, written
 * @param dV gradient of v, written
 * @param dLogG fp32 gradient of logG, written; null if the spec is not gated
 * @param initialState the forward call's initial state, whose window is empty; or null
 * @param dInitialState gradient of the initial state, written; null exactly if that is
 * @param dFinalState gradient of the final state; or null for zero
 * @param saved what the forward call kept; null to compute it again
 * @param packed where the sequences lie, if they are packed; or null
 * @param stream stream handle; 0 is the default stream
 */
public record BackwardProblem(
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
    TensorView dY,
    TensorView dQ,
    TensorView dK,
    TensorView dV,
    @Nullable TensorView dLogG,
    @Nullable StateView initialState,
    @Nullable StateView dInitialState,
    @Nullable StateView dFinalState,
    @Nullable SavedView saved,
    @Nullable PackedView packed,
    long stream) {
  /** Returns the sizes; of packed sequences, as if all were as long as the longest. */
  public CallShape shape() {
    return new CallShape(batch, tokens, queryHeads, keyHeads);
  }
}
