package org.powerattention.examples.incontext;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;
import org.powerattention.djl.RotaryEmbedding;

/**
 * Exponential attention with the projections and the norm of {@link
 * org.powerattention.djl.PowerAttentionBlock}, by DJL's own operations. It has no gates.
 */
final class SoftmaxBlock extends AbstractBlock {
  private static final byte VERSION = 1;

  private final int heads;
  private final int headDim;
  private final int window;
  private final @Nullable RotaryEmbedding rotary;
  private final Linear queries;
  private final Linear keys;
  private final Linear values;
  private final LayerNorm headNorm;
  private final Linear output;
  private @Nullable KeyValueCache cache;

  /**
   * @param window latest tokens, itself included, that a token attends to
   * @param rotaryBase of the rotary position embedding; 0 for none
   */
  SoftmaxBlock(int width, int heads, int headDim, int window, double rotaryBase) {
    super(VERSION);
    this.heads = heads;
    this.headDim = headDim;
    this.window = window;
    this.rotary = rotaryBase == 0 ? null : new RotaryEmbedding(headDim, rotaryBase);
    this.queries = addChildBlock("queries", linear((long) heads * headDim));
    this.keys = addChildBlock("keys", linear((long) heads * headDim));
    this.values = addChildBlock("values", linear((long) heads * headDim));
    this.headNorm = addChildBlock("headNorm", LayerNorm.builder().axis(3).build());
    this.output = addChildBlock("output", linear(width));
  }

  /** Keeps keys and values of what is read from now on; null to read whole sequences again. */
  void remember(@Nullable KeyValueCache newCache) {
    this.cache = newCache;
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameters,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    NDArray x = inputs.singletonOrThrow();
    long batch = x.getShape().get(0);
    int tokens = Math.toIntExact(x.getShape().get(1));
    int start = cache == null ? 0 : cache.tokens();
    NDArray q = project(parameters, queries, x, training);
    NDArray k = project(parameters, keys, x, training);
    NDArray v = project(parameters, values, x, training);
    if (rotary != null) {
      RotaryEmbedding.Turn turn = rotary.at(x.getManager(), start, tokens);
      q = turn.apply(q);
      k = turn.apply(k);
    }
    k = k.transpose(0, 2, 1, 3);
    v = v.transpose(0, 2, 1, 3);
    if (cache != null) {
      NDList all = cache.append(k, v);
      k = all.get(0);
      v = all.get(1);
    }
    // An array and not a number, which DJL would free while PyTorch needs it for the gradient.
    NDArray scale = x.getManager().full(new Shape(1), (float) (1 / Math.sqrt(headDim)));
    NDArray scores = q.mul(scale).transpose(0, 2, 1, 3).matMul(k.transpose(0, 1, 3, 2));
    if (tokens > 1) {
      scores = scores.add(mask(x.getManager(), start, tokens));
    }
    NDArray y = scores.softmax(3).matMul(v).transpose(0, 2, 1, 3);
    y = headNorm.forward(parameters, new NDList(y), training).singletonOrThrow();
    NDArray joined = y.reshape(batch, tokens, (long) heads * headDim);
    return output.forward(parameters, new NDList(joined), training);
  }

  private NDArray project(
      ParameterStore parameters, Linear projection, NDArray x, boolean training) {
    Shape shape = x.getShape();
    return projection
        .forward(parameters, new NDList(x), training)
        .singletonOrThrow()
        .reshape(shape.get(0), shape.get(1), heads, headDim);
  }

  /** Returns 0 where a token may attend to another, else a number that no score makes up for. */
  private NDArray mask(NDManager manager, int start, int tokens) {
    NDArray from = manager.arange((float) start, (float) (start + tokens)).expandDims(1);
    NDArray to = manager.arange((float) (start + tokens)).expandDims(0);
    NDArray later = to.gt(from).toType(DataType.FLOAT32, false);
    NDArray earlier = to.lte(from.sub(window)).toType(DataType.FLOAT32, false);
    return later.add(earlier).mul(-1e9f);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return inputShapes;
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    Shape input = inputShapes[0];
    queries.initialize(manager, dataType, input);
    keys.initialize(manager, dataType, input);
    values.initialize(manager, dataType, input);
    headNorm.initialize(manager, dataType, new Shape(input.get(0), input.get(1), heads, headDim));
    output.initialize(
        manager, dataType, new Shape(input.get(0), input.get(1), (long) heads * headDim));
  }

  private static Linear linear(long units) {
    return Linear.builder().setUnits(units).optBias(false).build();
  }
}
