package org.powerattention.runtime.cpu;

import org.powerattention.annotations.FeatureMap;

/**
 * The defining formula differentiated by hand, in fp64 and term by term: {@code dL/dw_ij} for every
 * pair, and from it by the chain rule {@code dL/ds_ij} and {@code dL/dG}; feature by feature for
 * what goes through a state.
 */
final class GradientReference {
  private static final double LEAST_SHARE = 0.03;

  private final GradientCase gradients;
  private final Case inputs;
  private final int d;
  private final int degree;
  final double[] q;
  final double[] k;
  final double[] v;
  final double[] logG;
  final double[] sums;
  final double[] keySums;

  /**
   * For dq and dk, the norm they would have if {@code <dy, v>} and {@code <dy, y>} did not cancel:
   * what rounding errors are in proportion to, also where the gradient itself is zero.
   */
  private final double[] conditioning = new double[6];

  GradientReference(GradientCase gradients) {
    this.gradients = gradients;
    this.inputs = gradients.inputs;
    this.d = inputs.spec.headDim();
    this.degree = inputs.spec.degree();
    q = new double[inputs.q.length];
    k = new double[inputs.k.length];
    v = new double[inputs.v.length];
    logG = new double[inputs.logG == null ? 0 : inputs.logG.length];
    int states = inputs.initialSums == null ? 0 : inputs.initialSums.length;
    sums = new double[states];
    keySums = new double[inputs.spec.normalized() ? states / d : 0];
    for (int b = 0; b < inputs.batch; b++) {
      for (int h = 0; h < inputs.keyHeads; h++) {
        head(b, h);
      }
    }
  }

  double[][] all() {
    return new double[][] {q, k, v, logG, sums, keySums};
  }

  private int key(int b, int j, int h) {
    return ((b * inputs.tokens + j) * inputs.keyHeads + h) * d;
  }

  private void head(int b, int h) {
    int t = inputs.tokens;
    double[] gates = new double[t];
    for (int i = 0; i < t; i++) {
      gates[i] = (i == 0 ? 0 : gates[i - 1]) + (inputs.logG == null ? 0 : gate(b, i, h));
    }
    double[] dGates = new double[t];
    int group = inputs.queryHeads / inputs.keyHeads;
    for (int r = h * group; r < (h + 1) * group; r++) {
      for (int i = 0; i < t; i++) {
        row(b, h, r, i, gates, dGates);
      }
    }
    if (gradients.dFinalSums != null) {
      finalState(b, h, gates, dGates);
    }
    if (inputs.logG != null) {
      double sum = 0;
      for (int i = t - 1; i >= 0; i--) {
        sum += dGates[i];
        logG[(b * t + i) * inputs.keyHeads + h] = sum;
      }
    }
  }

  private double gate(int b, int i, int h) {
    return inputs.logG[(b * inputs.tokens + i) * inputs.keyHeads + h];
  }

  private void row(int b, int h, int r, int i, double[] gates, double[] dGates) {
    int query = ((b * inputs.tokens + i) * inputs.queryHeads + r) * d;
    double[] scores = new double[i + 1];
    double[] weights = new double[i + 1];
    double[] y = new double[d];
    double divisor = 0;
    for (int j = 0; j <= i; j++) {
      for (int c = 0; c < d; c++) {
        scores[j] += inputs.scale * inputs.q[query + c] * inputs.k[key(b, j, h) + c];
      }
      weights[j] = power(scores[j], degree) * Math.exp(gates[i] - gates[j]);
      divisor += weights[j];
      for (int c = 0; c < d; c++) {
        y[c] += weights[j] * inputs.v[key(b, j, h) + c];
      }
    }
    double[] x = new double[d];
    for (int c = 0; c < d; c++) {
      x[c] = inputs.scale * inputs.q[query + c];
    }
    boolean state = inputs.initialSums != null;
    int base = (b * inputs.keyHeads + h) * inputs.spec.featureDim();
    double[] total = {divisor};
    if (state) {
      features(
          x,
          (f, multiplicity, product, positions) -> {
            double factor = Math.exp(gates[i]) * multiplicity * product;
            for (int c = 0; c < d; c++) {
              y[c] += factor * inputs.initialSums[(base + f) * d + c];
            }
            total[0] += inputs.spec.normalized() ? factor * inputs.initialKeySums[base + f] : 0;
          });
    }
    boolean normalized = inputs.spec.normalized();
    double reciprocal = normalized ? (total[0] == 0 ? 0 : 1 / total[0]) : 1;
    double delta = 0;
    for (int c = 0; c < d && normalized; c++) {
      delta += gradients.dY[query + c] * y[c] * reciprocal;
    }
    for (int j = 0; j <= i; j++) {
      int key = key(b, j, h);
      double a = -delta;
      double size = Math.abs(delta);
      for (int c = 0; c < d; c++) {
        a += (double) gradients.dY[query + c] * inputs.v[key + c];
        size += Math.abs((double) gradients.dY[query + c] * inputs.v[key + c]);
        v[key + c] += weights[j] * reciprocal * gradients.dY[query + c];
      }
      a *= reciprocal;
      dGates[i] += a * weights[j];
      dGates[j] -= a * weights[j];
      double slope = a * degree * power(scores[j], degree - 1) * Math.exp(gates[i] - gates[j]);
      double rounded = a == 0 ? 0 : slope / a * reciprocal * size * inputs.scale;
      for (int c = 0; c < d; c++) {
        q[query + c] += slope * inputs.scale * inputs.k[key + c];
        k[key + c] += slope * inputs.scale * inputs.q[query + c];
        conditioning[0] += power(rounded * inputs.k[key + c], 2);
        conditioning[1] += power(rounded * inputs.q[query + c], 2);
      }
    }
    if (state) {
      double shift = delta;
      double[] u = new double[d];
      for (int c = 0; c < d; c++) {
        u[c] = reciprocal * gradients.dY[query + c];
      }
      features(
          x,
          (f, multiplicity, product, positions) -> {
            double factor = Math.exp(gates[i]) * multiplicity;
            double slope = 0;
            for (int c = 0; c < d; c++) {
              slope += u[c] * inputs.initialSums[(base + f) * d + c];
              sums[(base + f) * d + c] += factor * product * u[c];
            }
            if (normalized) {
              slope -= reciprocal * shift * inputs.initialKeySums[base + f];
              keySums[base + f] -= factor * product * reciprocal * shift;
            }
            dGates[i] += factor * product * slope;
            addSlopes(x, positions, factor * slope * inputs.scale, q, query);
          });
    }
  }

  private static double power(double base, int exponent) {
    double result = 1;
    for (int n = 0; n < exponent; n++) {
      result *= base;
    }
    return result;
  }

  /** The gradient of the final state: of the keys and values in it, of the initial state. */
  private void finalState(int b, int h, double[] gates, double[] dGates) {
    int last = inputs.tokens - 1;
    int base = (b * inputs.keyHeads + h) * inputs.spec.featureDim();
    for (int j = 0; j <= last; j++) {
      int key = key(b, j, h);
      int token = j;
      double decay = Math.exp(gates[last] - gates[j]);
      double[] x = new double[d];
      for (int c = 0; c < d; c++) {
        x[c] = inputs.k[key + c];
      }
      features(
          x,
          (f, multiplicity, product, positions) -> {
            double slope = inputs.spec.normalized() ? gradients.dFinalKeySums[base + f] : 0;
            for (int c = 0; c < d; c++) {
              double upstream = gradients.dFinalSums[(base + f) * d + c];
              slope += upstream * inputs.v[key + c];
              v[key + c] += decay * product * upstream;
            }
            dGates[last] += decay * product * slope;
            dGates[token] -= decay * product * slope;
            addSlopes(x, positions, decay * slope, k, key);
          });
    }
    if (inputs.initialSums != null) {
      double decay = Math.exp(gates[last]);
      for (int f = base; f < base + inputs.spec.featureDim(); f++) {
        for (int c = f * d; c < (f + 1) * d; c++) {
          sums[c] += decay * gradients.dFinalSums[c];
          dGates[last] += decay * gradients.dFinalSums[c] * inputs.initialSums[c];
        }
        if (inputs.spec.normalized()) {
          keySums[f] += decay * gradients.dFinalKeySums[f];
          dGates[last] += decay * gradients.dFinalKeySums[f] * inputs.initialKeySums[f];
        }
      }
    }
  }

  /** The product rule: each factor of a feature in turn is left out. */
  private static void addSlopes(
      double[] x, int[] positions, double slope, double[] target, int at) {
    for (int left = 0; left < positions.length; left++) {
      double product = slope;
      for (int other = 0; other < positions.length; other++) {
        product *= other == left ? 1 : x[positions[other]];
      }
      target[at + positions[left]] += product;
    }
  }

  private interface Feature {
    void at(int feature, int multiplicity, double product, int[] positions);
  }

  /** Walks phi(x) in its published order. */
  private void features(double[] x, Feature visitor) {
    FeatureMap map = inputs.spec.featureMap();
    int[] positions = new int[degree];
    for (int tuple = 0; tuple < map.tileTuples(); tuple++) {
      int[] tiles = map.multiIndex(tuple);
      int multiplicity = FeatureMap.multiplicity(tiles);
      for (int f = 0; f < map.featuresPerTuple(); f++) {
        double product = 1;
        int rest = f;
        for (int p = degree - 1; p >= 0; p--) {
          positions[p] = tiles[p] * map.tile() + rest % map.tile();
          rest /= map.tile();
          product *= x[positions[p]];
        }
        visitor.at(tuple * map.featuresPerTuple() + f, multiplicity, product, positions);
      }
    }
  }

  /**
   * Returns the L2 distance of a gradient from the reference over the latter's norm, or over a part
   * of what it is conditioned by where that is more.
   *
   * @param which position in {@link #all}
   */
  double error(float[] actual, int which) {
    double[] expected = all()[which];
    double difference = 0;
    double norm = LEAST_SHARE * LEAST_SHARE * conditioning[which];
    double sum = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      sum += expected[i] * expected[i];
    }
    norm = Math.max(norm, sum);
    return Math.sqrt(norm == 0 ? difference : difference / norm);
  }
}
