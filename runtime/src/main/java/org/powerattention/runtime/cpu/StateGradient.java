package org.powerattention.runtime.cpu;

import java.util.Arrays;

/**
 * The gradient of {@code phi(x) S u} with respect to x, multiplicities included: {@code S u} for a
 * few features at a time, which are at once contracted with the derivative of phi.
 */
final class StateGradient {
  private StateGradient() {}

  /**
   * Computes {@code xFromState} for the first {@code count} lanes of the workspace.
   *
   * @param contributions where to write the values {@code phi(x) S u} themselves; by Euler's
   *     theorem they are {@code <x, gradient> / p}
   */
  static void compute(
      StateSums state,
      FeatureRows features,
      int degree,
      BackwardWorkspace work,
      int count,
      double[] contributions) {
    float[][] x = work.rows.queriesByFeature;
    float[][] gradient = work.xFromState;
    for (float[] row : gradient) {
      Arrays.fill(row, 0, count, 0);
    }
    for (int block = 0; block < features.blocks; block++) {
      if (features.blockStart[block] < features.blockStart[block + 1]) {
        features.suffixes(block, x, work.suffixes, count);
        for (float[] row : work.suffixGradients) {
          Arrays.fill(row, 0, count, 0);
        }
        for (int e = features.blockStart[block]; e < features.blockStart[block + 1]; e++) {
          entry(state.row(e), features, e, work, count);
        }
        features.addSuffixGradient(block, x, work.suffixGradients, gradient, count);
      }
    }
    Arrays.fill(contributions, 0, count, 0);
    for (int c = 0; c < x.length; c++) {
      for (int i = 0; i < count; i++) {
        contributions[i] += x[c][i] * gradient[c][i];
      }
    }
    for (int i = 0; i < count; i++) {
      contributions[i] /= degree;
    }
  }

  private static void entry(
      float[] row, FeatureRows features, int entry, BackwardWorkspace work, int count) {
    float[][] x = work.rows.queriesByFeature;
    int first = features.first(entry);
    int second = features.second(entry);
    boolean pair = second < x.length;
    float weight = features.multiplicity[entry];
    Vectors.scaled(work.prefix, x[first], weight, 0, count);
    if (pair) {
      Vectors.multiply(work.prefix, x[second], 0, count);
    }
    Arrays.fill(work.prefixGradient, 0, count, 0);
    for (int f = 0; f < features.suffixes; f++) {
      float[] projection = work.projections[f];
      project(row, f * features.columns, features.columns, work.uByColumn, projection, count);
      Vectors.addProduct(work.prefixGradient, projection, work.suffixes[f], 0, count);
      Vectors.addProduct(work.suffixGradients[f], projection, work.prefix, 0, count);
    }
    if (pair) {
      float[][] gradient = work.xFromState;
      Vectors.addProduct(gradient[first], work.prefixGradient, x[second], weight, 0, count);
      Vectors.addProduct(gradient[second], work.prefixGradient, x[first], weight, 0, count);
    } else {
      Vectors.scale(work.prefixGradient, weight, count);
      Vectors.add(work.xFromState[first], work.prefixGradient, count);
    }
  }

  /** {@code out[i] = sum_c row[at + c] u[c][i]}. */
  private static void project(
      float[] row, int at, int columns, float[][] u, float[] out, int count) {
    int even = columns & ~3;
    if (even < columns) {
      Vectors.scaled(out, u[even], row[at + even], 0, count);
    } else {
      Arrays.fill(out, 0, count, 0);
    }
    for (int c = 0; c < even; c += 4) {
      Vectors.add4(
          out,
          u[c],
          u[c + 1],
          u[c + 2],
          u[c + 3],
          row[at + c],
          row[at + c + 1],
          row[at + c + 2],
          row[at + c + 3],
          0,
          count);
    }
  }
}
