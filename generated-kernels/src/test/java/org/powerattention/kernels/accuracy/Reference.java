package org.powerattention.kernels.accuracy;

import org.powerattention.annotations.FeatureMap;
import org.powerattention.annotations.KernelSpec;

/** The defining formulas as they stand, in fp64. */
final class Reference {
  private final KernelSpec spec;
  private final Sequences sequences;
  private final double[][] gateSums;

  /** Takes the inputs as the operator sees them, rounded to its dtype. */
  Reference(KernelSpec spec, Sequences sequences) {
    this.spec = spec;
    this.sequences = sequences;
    int heads = sequences.keyHeads();
    this.gateSums = new double[sequences.batch() * heads][];
    for (int i = 0; i < gateSums.length; i++) {
      gateSums[i] = sequences.gateSums(i / heads, i % heads);
    }
  }

  /**
   * Returns y_i [d] of a query head: {@code sum_{j <= i} w_ij v_j}, over {@code sum_j w_ij} if
   * normalised, with {@code w_ij = (<q_i, k_j> / sqrt(d))^p exp(G_i - G_j)}.
   */
  double[] output(int sequence, int token, int queryHead) {
    int d = spec.headDim();
    int head = queryHead / (sequences.queryHeads() / sequences.keyHeads());
    double[] g = gateSums[sequence * sequences.keyHeads() + head];
    int q = sequences.queryRow(sequence, token, queryHead);
    double[] y = new double[d];
    double sum = 0;
    for (int j = 0; j <= token; j++) {
      int row = sequences.keyRow(sequence, j, head);
      double product = 0;
      for (int c = 0; c < d; c++) {
        product += (double) sequences.q()[q + c] * sequences.k()[row + c];
      }
      double weight = Math.pow(product / Math.sqrt(d), spec.degree()) * Math.exp(g[token] - g[j]);
      sum += weight;
      for (int c = 0; c < d; c++) {
        y[c] += weight * sequences.v()[row + c];
      }
    }
    if (spec.normalized()) {
      for (int c = 0; c < d; c++) {
        y[c] = sum == 0 ? 0 : y[c] / sum;
      }
    }
    return y;
  }

  /**
   * Returns rows of the state after the last token, [tau^p, d + 1]: for each feature f of a tuple
   * of tiles {@code sum_j exp(G_last - G_j) phi_f(k_j) (v_j, 1)}, the last column being the sum of
   * keys.
   */
  double[][] state(int sequence, int head, int tuple) {
    int d = spec.headDim();
    FeatureMap features = spec.featureMap();
    int tile = features.tile();
    int[] tiles = features.multiIndex(tuple);
    double[] g = gateSums[sequence * sequences.keyHeads() + head];
    double[][] state = new double[features.featuresPerTuple()][d + 1];
    for (int j = 0; j < sequences.tokens(); j++) {
      int row = sequences.keyRow(sequence, j, head);
      double decay = Math.exp(g[sequences.tokens() - 1] - g[j]);
      for (int f = 0; f < state.length; f++) {
        double feature = decay;
        int rest = f;
        for (int position = tiles.length - 1; position >= 0; position--) {
          feature *= sequences.k()[row + tiles[position] * tile + rest % tile];
          rest /= tile;
        }
        for (int c = 0; c < d; c++) {
          state[f][c] += feature * sequences.v()[row + c];
        }
        state[f][d] += feature;
      }
    }
    return state;
  }
}
