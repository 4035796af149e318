package org.powerattention.examples.incontext;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Optimizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Adam with a warm-up and a cosine decay of the learning rate. DJL's own keeps its moments to
 * itself, so that a training run could not go on where it stopped.
 */
final class ResumableAdam extends Optimizer {
  private static final float BETA1 = 0.9f;
  private static final float BETA2 = 0.98f;
  private static final float EPSILON = 1e-8f;

  /** Mean and mean square of a parameter's gradient. */
  private record Moments(NDArray first, NDArray second) {}

  private final double learningRate;
  private final int steps;
  private final Map<String, Moments> moments = new HashMap<>();
  private int step;

  /**
   * @param learningRate the greatest
   * @param steps of the whole run
   */
  ResumableAdam(double learningRate, int steps) {
    super(new Builder());
    this.learningRate = learningRate;
    this.steps = steps;
  }

  /** Says which step, from 1 on, the updates that follow belong to. */
  void begin(int newStep) {
    this.step = newStep;
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray gradient) {
    Moments kept = of(parameterId, weight);
    double correction = Math.sqrt(1 - Math.pow(BETA2, step)) / (1 - Math.pow(BETA1, step));
    float rate = (float) rate();
    weight
        .getNDArrayInternal()
        .adamUpdate(
            new NDList(weight, gradient, kept.first, kept.second),
            new NDList(weight),
            rate,
            (float) (rate * correction),
            0,
            rescaleGrad,
            clipGrad,
            BETA1,
            BETA2,
            EPSILON,
            false,
            false);
  }

  private double rate() {
    double warmUp = Math.max(1, steps / 20.0);
    double decay = 0.5 * (1 + Math.cos(Math.PI * step / steps));
    return learningRate * Math.min(1, step / warmUp) * (0.05 + 0.95 * decay);
  }

  /** Returns the moments of parameters, in their order, to be saved or overwritten. */
  List<NDArray> moments(List<Parameter> parameters) {
    List<NDArray> all = new ArrayList<>();
    for (Parameter parameter : parameters) {
      Moments kept = of(parameter.getId(), parameter.getArray());
      all.add(kept.first);
      all.add(kept.second);
    }
    return all;
  }

  private Moments of(String parameterId, NDArray weight) {
    return moments.computeIfAbsent(
        parameterId, any -> new Moments(weight.zerosLike(), weight.zerosLike()));
  }

  private static final class Builder extends OptimizerBuilder<Builder> {
    @Override
    protected Builder self() {
      return this;
    }
  }
}
