package org.powerattention.runtime.cpu;

import java.nio.FloatBuffer;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.SavedView;
import org.powerattention.runtime.spi.TensorView;

/** A backward call over a span with its tensors opened: what all threads share. */
final class BackwardCall {
  final BackwardProblem problem;
  final Inputs inputs;

  /** Writers of dq, dk and dv. */
  final ElementWriter dQ;

  final ElementWriter dK;
  final ElementWriter dV;
  private final ElementReader upstream;
  private final @Nullable FloatBuffer savedOutputs;
  private final @Nullable FloatBuffer savedWeightSums;

  BackwardCall(BackwardProblem problem, Inputs inputs) {
    this.problem = problem;
    this.inputs = inputs;
    this.dQ = new ElementWriter(problem.dQ(), "dQ", inputs.headDim);
    this.dK = new ElementWriter(problem.dK(), "dK", inputs.headDim);
    this.dV = new ElementWriter(problem.dV(), "dV", inputs.headDim);
    this.upstream = new ElementReader(problem.dY(), inputs.headDim);
    SavedView saved = problem.saved();
    this.savedOutputs = saved == null ? null : CpuMemory.floatsOf(saved.outputs());
    this.savedWeightSums = saved == null ? null : CpuMemory.floatsOf(saved.weightSums());
  }

  /** Returns whether the forward call kept its rows. */
  boolean isSaved() {
    return savedOutputs != null;
  }

  /** Reads a row of y that the forward call kept and returns its sum of weights. */
  double readSaved(int sequence, int token, int head, float[] y) {
    if (savedOutputs == null || savedWeightSums == null) {
      throw new IllegalStateException("the forward call kept nothing");
    }
    int row = inputs.row(sequence, token) * problem.queryHeads() + head;
    savedOutputs.get(row * inputs.headDim, y, 0, inputs.headDim);
    return savedWeightSums.get(row);
  }

  /** Reads the gradient of a row of y. */
  void readUpstream(int sequence, int token, int head, float[] target, short[] halves) {
    upstream.read(sequence, inputs.span.firstToken() + token, head, target, halves);
  }

  /** Writes the gradients of a head's log gates. */
  void writeGates(int sequence, int head, double[] gradients) {
    TensorView view = problem.dLogG();
    if (view != null) {
      FloatBuffer floats = CpuMemory.bufferOf(view.memory()).asFloatBuffer();
      for (int i = 0; i < gradients.length; i++) {
        int token = inputs.span.firstToken() + i;
        floats.put(ElementReader.index(view, sequence, token, head), (float) gradients[i]);
      }
    }
  }
}
