package org.powerattention.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * The layer by its formula, in DJL's own operations, which DJL differentiates by itself. It takes
 * the parameters of a block, by their names.
 */
record Formula(
    KernelSpec spec, int heads, int keyHeads, boolean rotary, Map<String, NDArray> parameters) {
  static Formula of(PowerAttentionBlock block, int heads, int keyHeads, boolean rotary) {
    Map<String, NDArray> parameters = new TreeMap<>();
    for (var parameter : block.getParameters()) {
      // "01queries_weight" -> "queries_weight"
      parameters.put(parameter.getKey().substring(2), array(parameter.getValue()));
    }
    return new Formula(block.spec(), heads, keyHeads, rotary, parameters);
  }

  private static NDArray array(Parameter parameter) {
    return parameter.getArray();
  }

  NDArray layer(NDArray x) {
    long batch = x.getShape().get(0);
    long tokens = x.getShape().get(1);
    NDArray q = turned(project(x, "queries", heads));
    NDArray k = turned(project(x, "keys", keyHeads)).repeat(2, heads / keyHeads);
    NDArray v = project(x, "values", keyHeads).repeat(2, heads / keyHeads);
    NDArray logG = null;
    if (spec.gated()) {
      NDArray logits = Linear.linear(x, get("gates_weight"), get("gates_bias")).get(0);
      NDArray reciprocal = logits.neg().exp().add(1);
      logG = reciprocal.log().neg().repeat(2, heads / keyHeads);
    }
    NDArray y = attention(q, k, v, logG);
    if (parameters.containsKey("headNorm_gamma")) {
      NDArray centred = y.sub(y.mean(new int[] {3}, true));
      NDArray variance = centred.square().mean(new int[] {3}, true);
      y = centred.div(variance.add(1e-5).sqrt());
      y = y.mul(get("headNorm_gamma")).add(get("headNorm_beta"));
    }
    NDArray joined = y.reshape(batch, tokens, -1);
    return Linear.linear(joined, get("output_weight")).get(0);
  }

  private NDArray attention(NDArray q, NDArray k, NDArray v, @Nullable NDArray logG) {
    long tokens = q.getShape().get(1);
    NDManager manager = q.getManager();
    NDArray scores =
        q.transpose(0, 2, 1, 3)
            .matMul(k.transpose(0, 2, 3, 1))
            .mul(constant(manager, 1 / Math.sqrt(spec.headDim())));
    NDArray weights = scores;
    for (int i = 1; i < spec.degree(); i++) {
      weights = weights.mul(scores);
    }
    if (logG != null) {
      NDArray sums = logG.cumSum(1).transpose(0, 2, 1);
      NDArray decays = sums.expandDims(3).sub(sums.expandDims(2));
      // Above the diagonal they would overflow.
      weights = weights.mul(decays.minimum(constant(manager, 0)).exp());
    }
    NDArray positions = manager.arange((float) tokens);
    NDArray causal =
        positions.expandDims(1).gte(positions.expandDims(0)).toType(DataType.FLOAT32, false);
    weights = weights.mul(causal);
    if (spec.normalized()) {
      weights = weights.div(weights.sum(new int[] {3}, true));
    }
    return weights.matMul(v.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3);
  }

  /**
   * Returns a number that lasts as long as its manager. DJL frees that of {@code array.mul(number)}
   * once it is unreachable in Java, while PyTorch still needs it for the gradient.
   */
  private static NDArray constant(NDManager manager, double value) {
    return manager.full(new Shape(1), (float) value);
  }

  private NDArray project(NDArray x, String name, int count) {
    return Linear.linear(x, get(name + "_weight"))
        .get(0)
        .reshape(x.getShape().get(0), x.getShape().get(1), count, spec.headDim());
  }

  /** Turns each pair of numbers as a complex number: by a sum and a difference of products. */
  private NDArray turned(NDArray x) {
    if (!rotary) {
      return x;
    }
    int tokens = (int) x.getShape().get(1);
    int d = spec.headDim();
    float[] rotation = new float[tokens * d * d];
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < d / 2; i++) {
        double angle = t / Math.pow(10_000, 2.0 * i / d);
        int at = t * d * d;
        rotation[at + i * d + i] = (float) Math.cos(angle);
        rotation[at + (i + d / 2) * d + i + d / 2] = (float) Math.cos(angle);
        rotation[at + i * d + i + d / 2] = (float) -Math.sin(angle);
        rotation[at + (i + d / 2) * d + i] = (float) Math.sin(angle);
      }
    }
    NDArray matrices = x.getManager().create(rotation, new Shape(1, tokens, d, d));
    return matrices.matMul(x.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2);
  }

  private NDArray get(String name) {
    NDArray array = parameters.get(name);
    if (array == null) {
      throw new IllegalArgumentException(name + " is not one of " + parameters.keySet());
    }
    return array;
  }

  /** Returns x divided by the root of its mean square, as a norm in front of a layer. */
  static NDList norm(NDList x) {
    NDArray array = x.singletonOrThrow();
    NDArray square = array.square().mean(new int[] {2}, true);
    return new NDList(array.div(square.add(1e-5).sqrt()));
  }
}
