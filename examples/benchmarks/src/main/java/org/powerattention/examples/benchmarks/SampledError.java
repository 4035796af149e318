package org.powerattention.examples.benchmarks;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Tensor;

/**
 * Relative L2 errors against an fp64 evaluation of the formula on the same inputs: over rows of the
 * first head of the first sequence, evenly spread, the last one among them.
 */
final class SampledError {
  private static final int ROWS = 64;

  private final KernelSpec spec;
  private final Tensor q;
  private final float[] k;
  private final float[] v;
  private final double[] gates; // cumulative

  /** What a row of a tensor should be. */
  private interface Expected {
    double[] row(int row);
  }

  private SampledError(KernelSpec spec, Timer.Inputs inputs) {
    this.spec = spec;
    this.q = inputs.q();
    this.k = head(inputs.k());
    this.v = head(inputs.v());
    float[] logG = head(inputs.logG());
    this.gates = new double[logG.length];
    double sum = 0;
    for (int i = 0; i < logG.length; i++) {
      sum += logG[i];
      gates[i] = sum;
    }
  }

  /** Returns the error of {@code inputs.y()} after a forward call. */
  static double ofY(KernelSpec spec, Timer.Inputs inputs) {
    return error(inputs.y(), new SampledError(spec, inputs)::y);
  }

  /**
   * Returns the error of the gradient of q after a backward call. It depends on the tokens before a
   * row alone; a row of the other gradients would take the weights of all later tokens.
   */
  static double ofQueryGradient(KernelSpec spec, Timer.Inputs inputs, Tensor dY, Tensor dQ) {
    SampledError formula = new SampledError(spec, inputs);
    return error(dQ, row -> formula.dQ(row, row(dY, row)));
  }

  private static double error(Tensor tensor, Expected expected) {
    int tokens = (int) tensor.shape()[1];
    double differences = 0;
    double squares = 0;
    int rows = Math.min(ROWS, tokens);
    for (int r = 1; r <= rows; r++) {
      int row = (int) ((long) tokens * r / rows) - 1;
      double[] numbers = expected.row(row);
      float[] actual = row(tensor, row);
      for (int c = 0; c < numbers.length; c++) {
        double difference = actual[c] - numbers[c];
        differences += difference * difference;
        squares += numbers[c] * numbers[c];
      }
    }
    return Math.sqrt(differences / squares);
  }

  private double[] y(int row) {
    float[] query = row(q, row);
    double[] y = new double[spec.headDim()];
    double weights = 0;
    for (int j = 0; j <= row; j++) {
      double weight = Math.pow(score(query, j), spec.degree()) * decay(row, j);
      weights += weight;
      add(y, weight, v, j);
    }
    for (int c = 0; spec.normalized() && c < y.length; c++) {
      y[c] = weights == 0 ? 0 : y[c] / weights;
    }
    return y;
  }

  /**
   * Returns the gradient of a query, given that of its y: of y = sum w v / sum w, a weight's is (dy
   * v - dy y) / sum w, and of y = sum w v it is dy v.
   */
  private double[] dQ(int row, float[] dY) {
    float[] query = row(q, row);
    double ofY = spec.normalized() ? dot(dY, y(row)) : 0;
    double[] dQ = new double[spec.headDim()];
    double weights = 0;
    for (int j = 0; j <= row; j++) {
      double score = score(query, j);
      double decay = decay(row, j);
      weights += Math.pow(score, spec.degree()) * decay;
      double ofWeight = dot(dY, v, j) - ofY;
      add(dQ, ofWeight * spec.degree() * Math.pow(score, spec.degree() - 1) * decay, k, j);
    }
    double divisor = spec.normalized() ? weights : 1;
    for (int c = 0; c < dQ.length; c++) {
      dQ[c] = divisor == 0 ? 0 : dQ[c] * scale() / divisor;
    }
    return dQ;
  }

  private double scale() {
    return 1 / Math.sqrt(spec.headDim());
  }

  private double score(float[] query, int token) {
    return scale() * dot(query, k, token);
  }

  private double decay(int row, int token) {
    return Math.exp(gates[row] - gates[token]);
  }

  private static double dot(float[] row, float[] rows, int token) {
    double sum = 0;
    for (int c = 0; c < row.length; c++) {
      sum += (double) row[c] * rows[token * row.length + c];
    }
    return sum;
  }

  private static double dot(float[] row, double[] other) {
    double sum = 0;
    for (int c = 0; c < row.length; c++) {
      sum += row[c] * other[c];
    }
    return sum;
  }

  private static void add(double[] sum, double factor, float[] rows, int token) {
    for (int c = 0; c < sum.length; c++) {
      sum[c] += factor * rows[token * sum.length + c];
    }
  }

  /** Returns the first head of the first sequence. */
  private static float[] head(Tensor tensor) {
    return tensor.slice(0, 0, 1).slice(2, 0, 1).toFloats();
  }

  private static float[] row(Tensor tensor, int token) {
    return tensor.slice(0, 0, 1).slice(1, token, token + 1).slice(2, 0, 1).toFloats();
  }
}
