package org.powerattention.djl;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/**
 * The identity, which makes training cheaper and changes no gradient. PyTorch sees a model with
 * power attention in pieces, with one backward pass for each. Where a residual connection leads
 * around a {@link PowerAttentionBlock}, the pass of a piece goes on along it through all earlier
 * layers, so that n layers take about n / 2 times as long as they have to. A cut in front of the
 * place where the connection branches off, so that all that follows goes through it, ends each pass
 * there.
 */
public final class GradientCut extends AbstractBlock {
  private static final byte VERSION = 1;

  /** Creates a cut. It has no parameters. */
  public GradientCut() {
    super(VERSION);
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    if (!training) {
      return inputs;
    }
    GradientRecorder recorder = GradientRecorder.current("GradientCut");
    return new NDList(inputs.stream().map(recorder::cut).toList());
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return inputShapes;
  }
}
