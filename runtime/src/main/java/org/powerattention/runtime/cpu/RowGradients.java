package org.powerattention.runtime.cpu;

import java.util.Arrays;

/**
 * The gradients of a block of queries, which are the lanes: over the keys of the chunk's window
 * from the attention form, over all keys before it from the state. Also what these pairs contribute
 * to the gradients of the log gates.
 *
 * <p>Gates are taken as products of factors that are at most 1, as in {@link ChunkAttention}.
 */
final class RowGradients {
  private final BackwardCall call;
  private final Inputs inputs;
  private final ChunkWindow window;
  private final BackwardWorkspace work;
  private final GateGradient gateGradient;
  private final int degree;
  private final int d;

  RowGradients(
      BackwardCall call, ChunkWindow window, GateGradient gateGradient, BackwardWorkspace work) {
    this.call = call;
    this.inputs = call.inputs;
    this.window = window;
    this.work = work;
    this.gateGradient = gateGradient;
    this.degree = inputs.spec.degree();
    this.d = inputs.headDim;
  }

  /**
   * Computes one block and writes dq.
   *
   * @param state the state before the window
   * @param member which query head of the group
   * @param block which block of rows of the chunk
   */
  void compute(StateSums state, QueryRows queryRows, int member, int block) {
    int first = window.start() + block * Workspace.ROWS;
    int count = Math.min(Workspace.ROWS, window.end() - first);
    window.readQueries(member, first, count, work.rows);
    if (inputs.spec.normalized() && !call.isSaved()) {
      new ChunkAttention(inputs, work.rows).compute(window, first, count);
      if (!state.isZero()) {
        state.addTo(work.rows, window.gates, first, count);
      }
    }
    queryRows.ready(window, member, first, count, work);
    for (int c = 0; c < d; c++) {
      Arrays.fill(work.xPart[c], 0, count, 0);
      Arrays.fill(work.xTotal[c], 0, count, 0);
    }
    Arrays.fill(work.contributions, 0, count, 0);
    Arrays.fill(work.contributionPart, 0, count, 0);
    if (first > 0) {
      earlierKeys(first, count, block, gateGradient.crossings(member, block));
    }
    if (!state.isZero()) {
      // Added after the keys, whose row factors it does not share.
      throughState(state, member, block, first, count);
    }
    double[] own = gateGradient.own(member);
    for (int key = first; key < first + count; key += Workspace.KEYS) {
      ownKeys(first, count, key, own);
    }
    drain(count);
    write(queryRows, member, first, count);
  }

  private void throughState(StateSums state, int member, int block, int first, int count) {
    Gates gates = window.gates;
    int live = gates.liveFromStart(first, first + count);
    double[] contributions = new double[live];
    StateGradient.compute(state, inputs.features, degree, work, live, contributions);
    double sum = 0;
    for (int i = 0; i < live; i++) {
      float factor = gates.sinceStart(first + i);
      for (int c = 0; c < d; c++) {
        work.xTotal[c][i] += factor * work.xFromState[c][i];
      }
      work.contributions[i] += factor * contributions[i];
      sum += factor * contributions[i];
    }
    // The state is a key before all others: it spans each of the boundaries.
    double[] crossings = gateGradient.crossings(member, block);
    for (int boundary = 0; boundary < block; boundary++) {
      crossings[boundary] += sum;
    }
    gateGradient.putStateRows(member, block, sum);
  }

  private void earlierKeys(int first, int count, int block, double[] crossings) {
    Gates gates = window.gates;
    int last = first - 1;
    if (gates.present()) {
      for (int i = 0; i < count; i++) {
        work.rows.rowFactor[i] = gates.between(first + i, last);
      }
      for (float[] column : work.uByColumn) {
        Vectors.multiply(column, work.rows.rowFactor, 0, count);
      }
    }
    int boundary = 0;
    int tiles = 0;
    int start = gates.firstLive(last) / Workspace.KEYS * Workspace.KEYS;
    for (int key = start; key < first; key += Workspace.KEYS) {
      while (boundary < block && window.start() + boundary * Workspace.ROWS <= key) {
        crossings[boundary++] = sum(work.contributions, 0, count);
      }
      window.readTokens(key, Workspace.KEYS, work.rows);
      multiply(0, count);
      for (int j = 0; j < Workspace.KEYS; j++) {
        float factor = degree * gates.between(last, key + j);
        slope(j, factor, 0, count);
      }
      accumulate(0, count);
      if (++tiles % ChunkAttention.TILES_PER_PART == 0) {
        drain(count);
      }
    }
    if (gates.present()) {
      work.transposeU(count);
    }
  }

  /** One tile of keys of the block itself: a triangle, and all rows beyond the tile. */
  private void ownKeys(int first, int count, int key, double[] own) {
    Gates gates = window.gates;
    int offset = key - first;
    int keys = Math.min(Workspace.KEYS, count - offset);
    int beyond = offset + keys;
    int last = key + keys - 1;
    window.readTokens(key, keys, work.rows);
    Tiles.pad(work.rows.keys, keys);
    Tiles.pad(work.rows.values, keys);
    multiply(offset, count);
    if (gates.present()) {
      for (int i = beyond; i < count; i++) {
        work.rows.rowFactor[i] = gates.between(first + i, last);
      }
    }
    for (int j = 0; j < Workspace.KEYS; j++) {
      float[] a = work.slopes[j];
      if (j >= keys) {
        Arrays.fill(a, offset, count, 0);
        continue;
      }
      Vectors.slope(a, work.rows.weights[j], degree, degree, offset, beyond);
      for (int i = 0; i < keys; i++) {
        a[offset + i] = i < j ? 0 : a[offset + i] * gates.between(key + i, key + j);
      }
      float factor = degree * gates.between(last, key + j);
      Vectors.slope(a, work.rows.weights[j], factor, degree, beyond, count);
      if (gates.present()) {
        Vectors.multiply(a, work.rows.rowFactor, beyond, count);
        Vectors.addProduct(work.contributionPart, a, work.rows.weights[j], offset, count);
      }
    }
    if (gates.present()) {
      spans(offset, keys, count, window.base() + key, own);
    }
    accumulate(offset, count);
  }

  /**
   * What the block's rows and the keys before m contribute to the gate of m, for each m of a tile.
   */
  private void spans(int offset, int keys, int count, int token, double[] own) {
    double[] rows = Arrays.copyOfRange(work.contributions, offset, offset + keys);
    double beyond = sum(work.contributions, offset + keys, count);
    for (int m = 0; m < keys; m++) {
      double sum = beyond;
      for (int i = m; i < keys; i++) {
        sum += rows[i];
      }
      own[token + m] = sum;
      float[] a = work.slopes[m];
      float[] s = work.rows.weights[m];
      beyond += Vectors.dot(a, s, offset + keys, count) / degree;
      for (int i = m; i < keys; i++) {
        rows[i] += (double) a[offset + i] * s[offset + i] / degree;
      }
    }
  }

  /** Scores of the tile in {@code weights}, the gradients of its weights in {@code slopes}. */
  private void multiply(int from, int to) {
    Workspace rows = work.rows;
    Tiles.multiply(rows.queriesByFeature, rows.keys, d, rows.weights, from, to);
    Tiles.multiply(work.uByColumn, rows.values, inputs.features.columns, work.slopes, from, to);
  }

  private void slope(int j, float factor, int from, int to) {
    Vectors.slope(work.slopes[j], work.rows.weights[j], factor, degree, from, to);
    if (window.gates.present()) {
      Vectors.addProduct(work.contributionPart, work.slopes[j], work.rows.weights[j], from, to);
    }
  }

  private void accumulate(int from, int to) {
    Tiles.accumulate(work.slopes, work.rows.keys, d, work.xPart, from, to);
    if (window.gates.present()) {
      work.drainContributions(degree, from, to);
    }
  }

  private void drain(int count) {
    for (int c = 0; c < d; c++) {
      Vectors.drain(work.xPart[c], work.xTotal[c], count);
    }
  }

  private static double sum(double[] values, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += values[i];
    }
    return sum;
  }

  private void write(QueryRows queryRows, int member, int first, int count) {
    float[] dq = new float[d];
    for (int i = 0; i < count; i++) {
      double scale = queryRows.scale(window, member, first + i);
      for (int c = 0; c < d; c++) {
        dq[c] = (float) (work.xTotal[c][i] * scale);
      }
      call.dQ.write(
          window.sequence(),
          call.inputs.span.firstToken() + window.base() + first + i,
          window.queryHead(member),
          dq,
          work.rows.halves);
    }
  }
}
