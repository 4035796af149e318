package org.powerattention.runtime.cpu;

import java.nio.FloatBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.SavedView;

/** A forward call over a span with its tensors opened: what all threads share. */
final class ForwardCall {
  final ForwardProblem problem;
  final Inputs inputs;
  private final ElementWriter outputs;
  private final @Nullable FloatBuffer savedOutputs;
  private final @Nullable FloatBuffer savedWeightSums;

  ForwardCall(ForwardProblem problem, Inputs inputs) {
    this.problem = problem;
    this.inputs = inputs;
    this.outputs = new ElementWriter(Objects.requireNonNull(problem.y(), "y"), "y", inputs.headDim);
    SavedView saved = problem.saved();
    this.savedOutputs = saved == null ? null : CpuMemory.floatsOf(saved.outputs());
    this.savedWeightSums = saved == null ? null : CpuMemory.floatsOf(saved.weightSums());
  }

  /**
   * Writes one row of the output, and keeps it if that is asked for.
   *
   * @param y the row
   * @param weightSum the sum of its weights, without the scale
   */
  void write(int sequence, int token, int head, float[] y, double weightSum, short[] halves) {
    outputs.write(sequence, inputs.span.firstToken() + token, head, y, halves);
    if (savedOutputs != null && savedWeightSums != null) {
      int row = inputs.row(sequence, token) * problem.queryHeads() + head;
      savedOutputs.put(row * inputs.headDim, y, 0, inputs.headDim);
      savedWeightSums.put(row, (float) weightSum);
    }
  }
}
