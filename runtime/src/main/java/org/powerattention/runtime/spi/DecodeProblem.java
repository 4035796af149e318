package org.powerattention.runtime.spi;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * A checked decode call: the output of one token for each sequence, and the state that takes it in.
 *
 * @param spec the operator's spec
 * @param batch number of sequences b
 * @param queryHeads query heads hq, a multiple of {@code keyHeads}
 * @param keyHeads key/value heads h
 * @param scale factor of {@code <q, k>}
 * @param q queries [b, 1, hq, d]
 * @param k keys [b, 1, h, d]
 * @param v values [b, 1, h, d]
 * @param logG fp32 log gates [b, 1, h]; null if the spec is not gated
 * @param y output [b, 1, hq, d]
 * @param state the state, with a window
 * @param workspace at least {@link LoadedProgram#decodeWorkspaceBytes} bytes that belong to the
 *     state and are used by one call at a time; zeros at first, and left as they are between calls
 * @param stream stream handle; 0 is the default stream
 */
public record DecodeProblem(
    KernelSpec spec,
    int batch,
    int queryHeads,
    int keyHeads,
    double scale,
    TensorView q,
    TensorView k,
    TensorView v,
    @Nullable TensorView logG,
    TensorView y,
    StateView state,
    Memory workspace,
    long stream) {}
