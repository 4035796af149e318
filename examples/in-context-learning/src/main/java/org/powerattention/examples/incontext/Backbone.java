package org.powerattention.examples.incontext;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.djl.GradientCut;

/**
 * A language model of which only the attention differs between arms: the embeddings of a token and
 * of the one before it, side by side, layers of attention and a perceptron with residual
 * connections, and a linear head. Takes token numbers and those of the tokens before, [b, t] each;
 * returns logits of the scored positions, [b, t / stride, vocabulary].
 */
final class Backbone extends AbstractBlock {
  private static final byte VERSION = 1;

  /** What a layer consists of. */
  private record Layer(
      GradientCut cut,
      LayerNorm attentionNorm,
      Block attention,
      LayerNorm perceptronNorm,
      Linear widen,
      Linear narrow) {}

  private final int width;
  private final int stride;
  private final Parameter embedding;
  private final List<Layer> layers = new ArrayList<>();
  private final LayerNorm lastNorm;
  private final Linear head;

  /**
   * @param attentions one attention layer for each layer, [b, t, width] in and out
   * @param stride every how many tokens a logit is wanted
   */
  Backbone(int width, int vocabulary, List<Block> attentions, int stride) {
    super(VERSION);
    this.width = width;
    this.stride = stride;
    this.embedding =
        addParameter(
            Parameter.builder()
                .setName("embedding")
                .setType(Parameter.Type.WEIGHT)
                .optShape(new Shape(vocabulary, width / 2))
                .build());
    for (Block attention : attentions) {
      layers.add(
          new Layer(
              addChildBlock("cut", new GradientCut()),
              addChildBlock("attentionNorm", LayerNorm.builder().axis(2).build()),
              addChildBlock("attention", attention),
              addChildBlock("perceptronNorm", LayerNorm.builder().axis(2).build()),
              addChildBlock("widen", Linear.builder().setUnits(2L * width).build()),
              addChildBlock("narrow", Linear.builder().setUnits(width).build())));
    }
    this.lastNorm = addChildBlock("lastNorm", LayerNorm.builder().axis(2).build());
    this.head = addChildBlock("head", Linear.builder().setUnits(vocabulary).build());
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameters,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    NDArray weight = parameters.getValue(embedding, inputs.get(0).getDevice(), training);
    NDArray token = Embedding.embedding(inputs.get(0), weight, SparseFormat.DENSE).get(0);
    NDArray previous = Embedding.embedding(inputs.get(1), weight, SparseFormat.DENSE).get(0);
    NDArray x = token.concat(previous, 2);
    for (Layer layer : layers) {
      x = run(parameters, layer.cut, x, training);
      NDArray normed = run(parameters, layer.attentionNorm, x, training);
      x = x.add(run(parameters, layer.attention, normed, training));
      NDArray hidden = run(parameters, layer.perceptronNorm, x, training);
      hidden = Activation.gelu(run(parameters, layer.widen, hidden, training));
      x = x.add(run(parameters, layer.narrow, hidden, training));
    }
    if (stride > 1) {
      x = x.get(new NDIndex(":, ::" + stride));
    }
    x = run(parameters, lastNorm, x, training);
    return new NDList(run(parameters, head, x, training));
  }

  private static NDArray run(ParameterStore parameters, Block block, NDArray x, boolean training) {
    return block.forward(parameters, new NDList(x), training).singletonOrThrow();
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    long tokens = (inputShapes[0].get(1) + stride - 1) / stride;
    return head.getOutputShapes(new Shape[] {new Shape(inputShapes[0].get(0), tokens, width)});
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    Shape x = new Shape(inputShapes[0].get(0), inputShapes[0].get(1), width);
    for (Layer layer : layers) {
      layer.cut.initialize(manager, dataType, x);
      layer.attentionNorm.initialize(manager, dataType, x);
      layer.attention.initialize(manager, dataType, x);
      layer.perceptronNorm.initialize(manager, dataType, x);
      layer.widen.initialize(manager, dataType, x);
      layer.narrow.initialize(manager, dataType, new Shape(x.get(0), x.get(1), 2L * width));
    }
    lastNorm.initialize(manager, dataType, x);
    head.initialize(manager, dataType, x);
  }
}
