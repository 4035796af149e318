package org.powerattention.examples.benchmarks;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Tensor;

/**
 * The relative L2 error of a forward call's y against an fp64 evaluation of the formula on the same
 * inputs: over rows of the first head of the first sequence, evenly spread, the last one among
 * them.
 */
final class SampledError {
  private static final int ROWS = 64;

  private SampledError() {}

  /** Returns the error of {@code inputs.y()}. */
  static double of(KernelSpec spec, Timer.Inputs inputs) {
    int tokens = (int) inputs.q().shape()[1];
    int d = spec.headDim();
    float[] k = head(inputs.k());
    float[] v = head(inputs.v());
    float[] logG = head(inputs.logG());
    double[] gates = new double[tokens]; // cumulative
    double sum = 0;
    for (int i = 0; i < tokens; i++) {
      sum += logG[i];
      gates[i] = sum;
    }
    double differences = 0;
    double squares = 0;
    int rows = Math.min(ROWS, tokens);
    for (int r = 1; r <= rows; r++) {
      int row = (int) ((long) tokens * r / rows) - 1;
      double[] expected = row(spec, row(inputs.q(), row), k, v, gates, row);
      float[] actual = row(inputs.y(), row);
      for (int c = 0; c < d; c++) {
        double difference = actual[c] - expected[c];
        differences += difference * difference;
        squares += expected[c] * expected[c];
      }
    }
    return Math.sqrt(differences / squares);
  }

  /** Returns y of one token. */
  private static double[] row(
      KernelSpec spec, float[] q, float[] k, float[] v, double[] gates, int row) {
    int d = spec.headDim();
    double scale = 1 / Math.sqrt(d);
    double[] y = new double[d];
    double weights = 0;
    for (int j = 0; j <= row; j++) {
      double score = 0;
      for (int c = 0; c < d; c++) {
        score += (double) q[c] * k[j * d + c];
      }
      double weight = Math.pow(scale * score, spec.degree()) * Math.exp(gates[row] - gates[j]);
      weights += weight;
      for (int c = 0; c < d; c++) {
        y[c] += weight * v[j * d + c];
      }
    }
    for (int c = 0; spec.normalized() && c < d; c++) {
      y[c] = weights == 0 ? 0 : y[c] / weights;
    }
    return y;
  }

  /** Returns the first head of the first sequence. */
  private static float[] head(Tensor tensor) {
    return tensor.slice(0, 0, 1).slice(2, 0, 1).toFloats();
  }

  private static float[] row(Tensor tensor, int token) {
    return tensor.slice(0, 0, 1).slice(1, token, token + 1).slice(2, 0, 1).toFloats();
  }
}
