package org.powerattention.runtime.spi;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * A checked prefill call: outputs of tokens that continue a state, which takes them in.
 *
 * @param spec the operator's spec
 * @param batch number of sequences b
 * @param tokens tokens per sequence t
 * @param queryHeads query heads hq, a multiple of {@code keyHeads}
 * @param keyHeads key/value heads h
 * @param scale factor of {@code <q, k>}
 * @param chunked whether to use the chunked form
 * @param q queries [b, t, hq, d]
 * @param k keys [b, t, h, d]
 * @param v values [b, t, h, d]
 * @param logG fp32 log gates [b, t, h]; null if the spec is not gated
 * @param y output [b, t, hq, d]
 * @param state the state, with a window
 * @param stream stream handle; 0 is the default stream
 */
public record PrefillProblem(
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
    TensorView y,
    StateView state,
    long stream) {}
