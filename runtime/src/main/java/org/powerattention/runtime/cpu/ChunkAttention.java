package org.powerattention.runtime.cpu;

import java.util.Arrays;

/**
 * The attention form within a chunk and its overlap, for a block of query rows that are the lanes
 * of all loops. Leaves {@code sum_j w_ij v_j} in {@code work.total}, transposed.
 *
 * <p>Keys before the block are taken with the gates as a product of two factors that are at most 1,
 * {@code exp(G_i - G_m) exp(G_m - G_j)} with m the last such key: one exponential per row and one
 * per key instead of one per pair. Within the block, m is the last key of each tile.
 */
final class ChunkAttention {
  /** Tiles of keys after which sums are added to the total, which keeps rounding errors small. */
  static final int TILES_PER_PART = 64;

  private final Inputs inputs;
  private final Workspace work;
  private final int degree;
  private final int columns;

  ChunkAttention(Inputs inputs, Workspace work) {
    this.inputs = inputs;
    this.work = work;
    this.degree = inputs.spec.degree();
    this.columns = inputs.features.columns;
  }

  /**
   * Computes the rows at positions {@code [first, first + count)}, whose queries are in the
   * workspace, over all keys from position 0 on.
   *
   * @param first a multiple of {@link Workspace#KEYS}
   */
  void compute(ChunkWindow window, int first, int count) {
    for (int c = 0; c < columns; c++) {
      Arrays.fill(work.part[c], 0, count, 0);
      Arrays.fill(work.total[c], 0, count, 0);
    }
    if (first > 0) {
      earlierKeys(window, first, count);
    }
    for (int key = first; key < first + count; key += Workspace.KEYS) {
      ownKeys(window, first, count, key);
    }
    drain(count);
  }

  private void earlierKeys(ChunkWindow window, int first, int count) {
    Gates gates = window.gates;
    int last = first - 1;
    int start = gates.firstLive(last) / Workspace.KEYS * Workspace.KEYS;
    int tiles = 0;
    for (int key = start; key < first; key += Workspace.KEYS) {
      window.readTokens(key, Workspace.KEYS, work);
      scores(Workspace.KEYS, 0, count);
      if (gates.present()) {
        scaleValues(gates, last, key, Workspace.KEYS);
      }
      accumulate(0, count);
      if (++tiles % TILES_PER_PART == 0) {
        drain(count);
      }
    }
    drain(count);
    if (gates.present()) {
      rowFactors(gates, last, first, 0, count);
      for (int c = 0; c < columns; c++) {
        Vectors.multiply(work.total[c], work.rowFactor, 0, count);
      }
    }
  }

  /** One tile of keys of the block itself: a triangle, and all rows beyond the tile. */
  private void ownKeys(ChunkWindow window, int first, int count, int key) {
    Gates gates = window.gates;
    int keys = Math.min(Workspace.KEYS, first + count - key);
    int from = key - first;
    int beyond = from + keys;
    window.readTokens(key, keys, work);
    scores(keys, from, count);
    triangle(gates, first, key, keys);
    if (beyond < count) {
      if (gates.present()) {
        int last = key + keys - 1;
        scaleValues(gates, last, key, keys);
        rowFactors(gates, last, first, beyond, count);
        for (int j = 0; j < keys; j++) {
          Vectors.multiply(work.weights[j], work.rowFactor, beyond, count);
        }
      }
      accumulate(beyond, count);
    }
  }

  /** {@code weights[j][i] = <q_i, k_j>^p}. */
  private void scores(int keys, int from, int to) {
    float[][] q = work.queriesByFeature;
    for (int j = 0; j < keys; j++) {
      Arrays.fill(work.weights[j], from, to, 0);
    }
    for (int c = 0; c < inputs.headDim; c += 4) {
      for (int j = 0; j < keys; j++) {
        float[] k = work.keys[j];
        Vectors.add4(
            work.weights[j],
            q[c],
            q[c + 1],
            q[c + 2],
            q[c + 3],
            k[c],
            k[c + 1],
            k[c + 2],
            k[c + 3],
            from,
            to);
      }
    }
    for (int j = 0; j < keys; j++) {
      Vectors.raise(work.weights[j], degree, from, to);
    }
  }

  /** {@code part[c][i] += sum_j weights[j][i] v_j[c]} over a full tile. */
  private void accumulate(int from, int to) {
    float[][] w = work.weights;
    float[][] v = work.values;
    for (int c = 0; c < columns; c++) {
      float[] out = work.part[c];
      for (int j = 0; j < Workspace.KEYS; j += 4) {
        Vectors.add4(
            out,
            w[j],
            w[j + 1],
            w[j + 2],
            w[j + 3],
            v[j][c],
            v[j + 1][c],
            v[j + 2][c],
            v[j + 3][c],
            from,
            to);
      }
    }
  }

  /** The rows that are tokens of the tile: each takes the keys up to its own, and no other. */
  private void triangle(Gates gates, int first, int key, int keys) {
    int offset = key - first;
    for (int j = 0; j < keys; j++) {
      float[] w = work.rowFactor;
      for (int i = j; i < keys; i++) {
        w[i] = work.weights[j][offset + i] * gates.between(key + i, key + j);
      }
      for (int c = 0; c < columns; c++) {
        float value = work.values[j][c];
        float[] out = work.part[c];
        for (int i = j; i < keys; i++) {
          out[offset + i] += w[i] * value;
        }
      }
    }
  }

  /** {@code v_j <- exp(G_last - G_j) v_j}, the ones of the normaliser included. */
  private void scaleValues(Gates gates, int last, int key, int keys) {
    for (int j = 0; j < keys; j++) {
      Vectors.scale(work.values[j], gates.between(last, key + j), columns);
    }
  }

  /** {@code rowFactor[i] = exp(G_i - G_last)}. */
  private void rowFactors(Gates gates, int last, int first, int from, int to) {
    for (int i = from; i < to; i++) {
      work.rowFactor[i] = gates.between(first + i, last);
    }
  }

  private void drain(int count) {
    for (int c = 0; c < columns; c++) {
      Vectors.drain(work.part[c], work.total[c], count);
    }
  }
}
