package org.powerattention.runtime.cpu;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.ForwardProblem;

/** A head on its way through a forward call, chunk by chunk. */
final class ForwardWalk implements HeadWalk<Workspace> {
  private final ForwardCall call;
  private final Inputs inputs;
  private final ChunkWindow window;
  private final @Nullable StateSums state;
  private int index;

  ForwardWalk(ForwardCall call) {
    this.call = call;
    this.inputs = call.inputs;
    this.window = new ChunkWindow(inputs);
    ForwardProblem problem = call.problem;
    boolean stateless =
        problem.initialState() == null && problem.finalState() == null && inputs.chunks <= 1;
    this.state = stateless ? null : new StateSums(inputs.features, inputs.headDim);
  }

  @Override
  public void begin(int head) {
    index = head;
    window.begin(head);
    if (state != null) {
      state.load(call.problem.initialState(), head);
    }
  }

  @Override
  public void enter(int step) {
    window.enter(step);
  }

  @Override
  public int blocks() {
    return window.rowBlocks() * inputs.group;
  }

  /** Computes one block of output rows. The latest rows come first: they have the most keys. */
  @Override
  public void block(int block, Workspace work) {
    int member = block % inputs.group;
    int first = window.start() + (window.rowBlocks() - 1 - block / inputs.group) * Workspace.ROWS;
    int count = Math.min(Workspace.ROWS, window.end() - first);
    window.readQueries(member, first, count, work);
    new ChunkAttention(inputs, work).compute(window, first, count);
    if (state != null && !state.isZero()) {
      state.addTo(work, window.gates, first, count);
    }
    float[] y = new float[inputs.headDim];
    for (int i = 0; i < count; i++) {
      double weightSum = finish(work.total, i, y);
      double scale = Math.pow(work.queryScale[i], inputs.spec.degree());
      call.write(
          window.sequence(),
          window.base() + first + i,
          window.queryHead(member),
          y,
          weightSum / scale,
          work.halves);
    }
  }

  /**
   * Divides by the sum of weights, the last column, if the operator is normalised, and returns it.
   */
  private double finish(float[][] total, int i, float[] y) {
    float divisor = inputs.spec.normalized() ? total[inputs.headDim][i] : 1;
    if (divisor == 0) {
      Arrays.fill(y, 0);
      return divisor;
    }
    for (int c = 0; c < y.length; c++) {
      y[c] = total[c][i] / divisor;
    }
    return divisor;
  }

  /** Returns the position up to which the state takes in tokens at the end of the chunk. */
  private int taken() {
    return window.isLast() && call.problem.finalState() == null ? 0 : window.taken();
  }

  @Override
  public boolean updates() {
    return taken() > 0;
  }

  @Override
  public void update(int fromEntry, int toEntry, Workspace work) {
    requireState().advance(window, taken(), fromEntry, toEntry, work);
  }

  @Override
  public void leave() {
    if (updates()) {
      requireState().markFilled();
    }
  }

  @Override
  public void end() {
    if (call.problem.finalState() != null) {
      requireState().store(call.problem.finalState(), index);
    }
  }

  private StateSums requireState() {
    if (state == null) {
      throw new IllegalStateException("a walk without a state");
    }
    return state;
  }
}
