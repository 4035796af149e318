package org.powerattention.djl;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;

/**
 * What a layer has made of its input for one call of the operator.
 *
 * @param q queries [b, t, hq, d]
 * @param k keys [b, t, h, d]
 * @param v values [b, t, h, d]
 * @param logG log gates [b, t, h]; null exactly if the operator is not gated
 */
record AttentionInputs(NDArray q, NDArray k, NDArray v, @Nullable NDArray logG) {
  int batch() {
    return Math.toIntExact(q.getShape().get(0));
  }

  int tokens() {
    return Math.toIntExact(q.getShape().get(1));
  }

  int queryHeads() {
    return Math.toIntExact(q.getShape().get(2));
  }

  int keyHeads() {
    return Math.toIntExact(k.getShape().get(2));
  }
}
