package org.powerattention.runtime.cpu;

import org.powerattention.annotations.FeatureMap;

/** The defining formula in fp64, term by term. */
final class Reference {
  private final Case inputs;
  private final int d;
  private final double[][] cumulative;

  Reference(Case inputs) {
    this.inputs = inputs;
    this.d = inputs.spec.headDim();
    this.cumulative = new double[inputs.batch * inputs.keyHeads][inputs.tokens];
    for (int b = 0; b < inputs.batch; b++) {
      for (int h = 0; h < inputs.keyHeads; h++) {
        double sum = 0;
        for (int i = 0; i < inputs.tokens; i++) {
          sum +=
              inputs.logG == null ? 0 : inputs.logG[(b * inputs.tokens + i) * inputs.keyHeads + h];
          cumulative[b * inputs.keyHeads + h][i] = sum;
        }
      }
    }
  }

  /** Returns {@code y[b, i, r, :]}. */
  double[] row(int b, int i, int r) {
    int h = r / (inputs.queryHeads / inputs.keyHeads);
    double[] gates = cumulative[b * inputs.keyHeads + h];
    int query = ((b * inputs.tokens + i) * inputs.queryHeads + r) * d;
    double[] y = new double[d];
    double divisor = 0;
    for (int j = 0; j <= i; j++) {
      int key = ((b * inputs.tokens + j) * inputs.keyHeads + h) * d;
      double product = 0;
      for (int c = 0; c < d; c++) {
        product += (double) inputs.q[query + c] * inputs.k[key + c];
      }
      double weight =
          Math.pow(product * inputs.scale, inputs.spec.degree()) * Math.exp(gates[i] - gates[j]);
      divisor += weight;
      for (int c = 0; c < d; c++) {
        y[c] += weight * inputs.v[key + c];
      }
    }
    if (inputs.initialSums != null) {
      divisor += addState(b, h, query, Math.exp(gates[i]), y);
    }
    if (inputs.spec.normalized()) {
      for (int c = 0; c < d; c++) {
        y[c] = divisor == 0 ? 0 : y[c] / divisor;
      }
    }
    return y;
  }

  /** Adds what the initial state says of a query to y, and returns its sum of weights. */
  private double addState(int b, int h, int query, double decay, double[] y) {
    float[] sums = inputs.initialSums;
    float[] keySums = inputs.initialKeySums;
    double[] x = new double[d];
    for (int c = 0; c < d; c++) {
      x[c] = inputs.q[query + c] * inputs.scale;
    }
    int base = (b * inputs.keyHeads + h) * inputs.spec.featureDim();
    double[] divisor = new double[1];
    features(
        (feature, weight, product) -> {
          double factor = decay * weight * product;
          for (int c = 0; c < d; c++) {
            y[c] += factor * sums[(base + feature) * d + c];
          }
          if (keySums != null) {
            divisor[0] += factor * keySums[base + feature];
          }
        },
        x);
    return divisor[0];
  }

  /** The final state of head h of sequence b, from a zero initial state: {@code [D][d + 1]}. */
  double[][] finalState(int b, int h) {
    double[][] state = new double[inputs.spec.featureDim()][d + 1];
    double[] gates = cumulative[b * inputs.keyHeads + h];
    for (int j = 0; j < inputs.tokens; j++) {
      int key = ((b * inputs.tokens + j) * inputs.keyHeads + h) * d;
      double decay = Math.exp(gates[inputs.tokens - 1] - gates[j]);
      double[] x = new double[d];
      for (int c = 0; c < d; c++) {
        x[c] = inputs.k[key + c];
      }
      features(
          (feature, weight, product) -> {
            for (int c = 0; c < d; c++) {
              state[feature][c] += decay * product * inputs.v[key + c];
            }
            state[feature][d] += decay * product;
          },
          x);
    }
    return state;
  }

  private interface Feature {
    void at(int feature, int multiplicity, double product);
  }

  /** Walks phi(x) in its published order. */
  private void features(Feature visitor, double[] x) {
    FeatureMap map = inputs.spec.featureMap();
    for (int tuple = 0; tuple < map.tileTuples(); tuple++) {
      int[] tiles = map.multiIndex(tuple);
      for (int f = 0; f < map.featuresPerTuple(); f++) {
        double product = 1;
        int rest = f;
        for (int position = map.degree() - 1; position >= 0; position--) {
          product *= x[tiles[position] * map.tile() + rest % map.tile()];
          rest /= map.tile();
        }
        visitor.at(tuple * map.featuresPerTuple() + f, FeatureMap.multiplicity(tiles), product);
      }
    }
  }

  /** Relative L2 distance of a run's y over every {@code step}-th token, counted from the last. */
  double error(float[] y, int step) {
    double difference = 0;
    double norm = 0;
    for (int b = 0; b < inputs.batch; b++) {
      for (int i = inputs.tokens - 1; i >= 0; i -= step) {
        for (int r = 0; r < inputs.queryHeads; r++) {
          double[] expected = row(b, i, r);
          int at = ((b * inputs.tokens + i) * inputs.queryHeads + r) * d;
          for (int c = 0; c < d; c++) {
            difference += (y[at + c] - expected[c]) * (y[at + c] - expected[c]);
            norm += expected[c] * expected[c];
          }
        }
      }
    }
    return Math.sqrt(difference / norm);
  }
}
