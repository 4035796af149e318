package org.powerattention.examples.incontext;

import java.util.List;

/**
 * What came of a run.
 *
 * @param run the run
 * @param curve its learning curve
 * @param lossByPosition loss of the trained model at each scored position, in nats
 * @param parameters of the model
 * @param weightFlops FLOPs per token, forward, with parameters
 * @param stateFlops FLOPs per token, forward, of attention
 */
@SuppressWarnings("ArrayRecordComponent") // never compared as a whole
record Outcome(
    Run run,
    List<Curve> curve,
    double[] lossByPosition,
    long parameters,
    double weightFlops,
    double stateFlops) {
  Outcome {
    lossByPosition = lossByPosition.clone();
    curve = List.copyOf(curve);
  }

  /** Returns the FLOPs of training up to a step; a backward pass counts as two forward passes. */
  double flops(int step) {
    double tokens = (double) step * run.task().batch() * run.task().length();
    return 3 * tokens * (weightFlops + stateFlops);
  }
}
