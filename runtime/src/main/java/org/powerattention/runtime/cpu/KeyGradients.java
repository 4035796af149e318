package org.powerattention.runtime.cpu;

import java.util.Arrays;

/**
 * The gradients of a block of keys and their values, which are the lanes: over the queries up to
 * the end of the chunk from the attention form, over all queries after it from the gradient of the
 * state. This is {@link RowGradients} with the roles of keys and queries, and the directions of
 * time, exchanged: of a chunk's window, the last tokens are keys of the next chunk's.
 */
final class KeyGradients {
  private final BackwardCall call;
  private final Inputs inputs;
  private final ChunkWindow window;
  private final BackwardWorkspace work;
  private final int degree;
  private final int d;

  KeyGradients(BackwardCall call, ChunkWindow window, BackwardWorkspace work) {
    this.call = call;
    this.inputs = call.inputs;
    this.window = window;
    this.work = work;
    this.degree = inputs.spec.degree();
    this.d = inputs.headDim;
  }

  /**
   * Computes the keys at positions {@code [first, first + count)} and writes dk and dv.
   *
   * @param state the gradient of the state after the window's first {@link ChunkWindow#taken}
   * @param counted whether these are all tokens of a block of rows, so that what later rows
   *     contribute to the gradients of log gates is asked for
   */
  void compute(
      StateSums state,
      QueryRows queryRows,
      GateGradient gateGradient,
      int first,
      int count,
      boolean counted) {
    readKeys(first, count);
    for (int c = 0; c < d; c++) {
      Arrays.fill(work.xPart[c], 0, count, 0);
      Arrays.fill(work.xTotal[c], 0, count, 0);
      Arrays.fill(work.rows.part[c], 0, count, 0);
      Arrays.fill(work.rows.total[c], 0, count, 0);
    }
    Arrays.fill(work.contributionPart, 0, count, 0);
    Arrays.fill(work.contributions, 0, count, 0);
    laterRows(queryRows, first, count, counted);
    gateGradient.putLaterRows(window.base() + first, work.contributions, count);
    if (!state.isZero()) {
      throughState(state, first, count);
      gateGradient.putStateKeys(window.base() + first, work.contributions, count);
    }
    for (int row = first; row < first + count; row += Workspace.KEYS) {
      ownRows(queryRows, first, count, row);
    }
    drain(count);
    write(first, count);
  }

  private void readKeys(int first, int count) {
    Workspace rows = work.rows;
    for (int i = 0; i < count; i++) {
      int token = window.base() + first + i;
      inputs.readKey(window.sequence(), token, window.head(), rows.queries[i], rows.halves);
      inputs.readValue(window.sequence(), token, window.head(), work.u[i], rows.halves);
      for (int c = 0; c < d; c++) {
        rows.queriesByFeature[c][i] = rows.queries[i][c];
      }
    }
    work.transposeU(count);
  }

  private void laterRows(QueryRows queryRows, int first, int count, boolean counted) {
    Gates gates = window.gates;
    int last = first + count - 1;
    int end = gates.liveUntil(last, window.end());
    int tiles = 0;
    for (int member = 0; member < inputs.group; member++) {
      for (int row = last + 1; row < end; row += Workspace.KEYS) {
        int rows = Math.min(Workspace.KEYS, end - row);
        readRows(queryRows, member, row, rows);
        multiply(0, count);
        for (int i = 0; i < rows; i++) {
          float factor = gates.between(row + i, last);
          float[] a = work.slopes[i];
          float[] s = work.rows.weights[i];
          Vectors.slope(a, s, degree * factor, degree, 0, count);
          if (counted && gates.present()) {
            Vectors.addProduct(work.contributionPart, a, s, 0, count);
          }
          weigh(s, factor, 0, count);
        }
        accumulate(rows, 0, count);
        if (counted && gates.present()) {
          work.drainContributions(degree, 0, count);
        }
        if (++tiles % ChunkAttention.TILES_PER_PART == 0) {
          drain(count);
        }
      }
    }
    drain(count);
    if (gates.present()) {
      float[] factors = work.rows.rowFactor;
      for (int j = 0; j < count; j++) {
        factors[j] = gates.between(last, first + j);
        work.contributions[j] *= factors[j];
      }
      for (int c = 0; c < d; c++) {
        Vectors.multiply(work.xTotal[c], factors, 0, count);
        Vectors.multiply(work.rows.total[c], factors, 0, count);
      }
    }
  }

  private void throughState(StateSums state, int first, int count) {
    Gates gates = window.gates;
    int last = window.taken() - 1;
    Arrays.fill(work.contributions, 0, count, 0);
    if (gates.firstLive(last) >= first + count) {
      return;
    }
    StateGradient.compute(state, inputs.features, degree, work, count, work.contributions);
    state.read(work.rows, count);
    for (int j = 0; j < count; j++) {
      float factor = gates.between(last, first + j);
      work.contributions[j] *= factor;
      for (int c = 0; c < d; c++) {
        work.xTotal[c][j] += factor * work.xFromState[c][j];
        work.rows.total[c][j] += factor * work.rows.fromState[j][c];
      }
    }
  }

  /** One tile of queries of the block itself: a triangle, and all keys before the tile. */
  private void ownRows(QueryRows queryRows, int first, int count, int row) {
    Gates gates = window.gates;
    int offset = row - first;
    int rows = Math.min(Workspace.KEYS, count - offset);
    int end = offset + rows;
    int last = row - 1;
    float[] factors = work.rows.rowFactor;
    if (gates.present()) {
      for (int j = 0; j < offset; j++) {
        factors[j] = gates.between(last, first + j);
      }
    }
    for (int member = 0; member < inputs.group; member++) {
      readRows(queryRows, member, row, rows);
      multiply(0, end);
      for (int i = 0; i < rows; i++) {
        float[] a = work.slopes[i];
        float[] s = work.rows.weights[i];
        Vectors.slope(a, s, degree, degree, 0, end);
        Vectors.raise(s, degree, 0, end);
        if (gates.present() && offset > 0) {
          float factor = gates.between(row + i, last);
          Vectors.multiply(a, factors, factor, 0, offset);
          Vectors.multiply(s, factors, factor, 0, offset);
        }
        for (int j = 0; j < rows; j++) {
          float factor = j > i ? 0 : gates.between(row + i, row + j);
          a[offset + j] = j > i ? 0 : a[offset + j] * factor;
          s[offset + j] = j > i ? 0 : s[offset + j] * factor;
        }
      }
      accumulate(rows, 0, end);
    }
  }

  private void readRows(QueryRows queryRows, int member, int row, int count) {
    queryRows.read(window, member, row, count, work.rows);
    Tiles.pad(work.rows.keys, count);
    Tiles.pad(work.rows.values, count);
  }

  /** Scores of the tile in {@code weights}, the gradients of its weights in {@code slopes}. */
  private void multiply(int from, int to) {
    Workspace rows = work.rows;
    Tiles.multiply(rows.queriesByFeature, rows.keys, d, rows.weights, from, to);
    Tiles.multiply(work.uByColumn, rows.values, inputs.features.columns, work.slopes, from, to);
  }

  private void weigh(float[] scores, float factor, int from, int to) {
    Vectors.raise(scores, degree, from, to);
    if (window.gates.present()) {
      Vectors.scale(scores, factor, to);
    }
  }

  private void accumulate(int rows, int from, int to) {
    for (int i = rows; i < Workspace.KEYS; i++) {
      Arrays.fill(work.slopes[i], from, to, 0);
      Arrays.fill(work.rows.weights[i], from, to, 0);
    }
    Tiles.accumulate(work.slopes, work.rows.keys, d, work.xPart, from, to);
    Tiles.accumulate(work.rows.weights, work.rows.values, d, work.rows.part, from, to);
  }

  private void drain(int count) {
    for (int c = 0; c < d; c++) {
      Vectors.drain(work.xPart[c], work.xTotal[c], count);
      Vectors.drain(work.rows.part[c], work.rows.total[c], count);
    }
  }

  private void write(int first, int count) {
    float[] gradient = new float[d];
    for (int j = 0; j < count; j++) {
      int token = inputs.span.firstToken() + window.base() + first + j;
      for (int c = 0; c < d; c++) {
        gradient[c] = work.xTotal[c][j];
      }
      call.dK.write(window.sequence(), token, window.head(), gradient, work.rows.halves);
      for (int c = 0; c < d; c++) {
        gradient[c] = work.rows.total[c][j];
      }
      call.dV.write(window.sequence(), token, window.head(), gradient, work.rows.halves);
    }
  }
}
