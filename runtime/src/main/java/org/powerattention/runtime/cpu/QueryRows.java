package org.powerattention.runtime.cpu;

import org.powerattention.annotations.KernelSpec;

/**
 * What the gradients need to know of each query row of a key/value head's group: how the query is
 * scaled, and {@code u = (dy, -delta) / sum of weights} with {@code delta = <dy, y>}, of which the
 * numbers are kept that do not follow from dy alone. Not normalised: u = dy.
 */
final class QueryRows {
  /**
   * Least sum of weights of a row that has a gradient; what is less counts as none. Gradients are
   * inversely proportional to it, and that of a state would leave the range of fp32.
   */
  private static final double LEAST_WEIGHT_SUM = 0x1p-110;

  private final BackwardCall call;
  private final Inputs inputs;
  private final int degree;
  private final double[][] scale;
  private final double[][] reciprocal;
  private final double[][] shift;

  QueryRows(BackwardCall call) {
    this.call = call;
    this.inputs = call.inputs;
    KernelSpec spec = inputs.spec;
    this.degree = spec.degree();
    int kept = spec.normalized() ? inputs.span.tokens() : 0;
    this.scale = new double[inputs.group][inputs.span.tokens()];
    this.reciprocal = new double[inputs.group][kept];
    this.shift = new double[inputs.group][kept];
  }

  /**
   * Readies rows that are the lanes of a workspace: their queries have been read, and if the
   * operator is normalised and its rows were not saved, their sums are in the workspace's totals.
   */
  void ready(ChunkWindow window, int member, int first, int count, BackwardWorkspace work) {
    Workspace rows = work.rows;
    float[] y = new float[inputs.headDim];
    for (int i = 0; i < count; i++) {
      int token = window.base() + first + i;
      if (inputs.spec.normalized()) {
        double weightSum = weightSum(window, member, token, i, rows, y);
        boolean none = Math.abs(weightSum) < LEAST_WEIGHT_SUM;
        double inverse = none ? 0 : 1 / weightSum;
        call.readUpstream(
            window.sequence(), token, window.queryHead(member), work.u[i], rows.halves);
        double delta = 0;
        for (int c = 0; c < inputs.headDim; c++) {
          delta += (double) work.u[i][c] * y[c];
        }
        reciprocal[member][token] = inverse;
        shift[member][token] = none ? 0 : -inverse * delta;
      }
      scale[member][token] = rows.queryScale[i];
      readU(window, member, token, work.u[i], rows.halves);
    }
    work.transposeU(count);
  }

  /** Returns the sum of a row's weights with the query as it is scaled, and finds y. */
  private double weightSum(
      ChunkWindow window, int member, int token, int i, Workspace rows, float[] y) {
    if (call.isSaved()) {
      int head = window.queryHead(member);
      return call.readSaved(window.sequence(), token, head, y)
          * Math.pow(rows.queryScale[i], degree);
    }
    double sum = rows.total[inputs.headDim][i];
    for (int c = 0; c < y.length; c++) {
      y[c] = sum == 0 ? 0 : (float) (rows.total[c][i] / sum);
    }
    return sum;
  }

  /** Reads u of one row. */
  private void readU(ChunkWindow window, int member, int token, float[] u, short[] halves) {
    call.readUpstream(window.sequence(), token, window.queryHead(member), u, halves);
    if (inputs.spec.normalized()) {
      double inverse = reciprocal[member][token];
      for (int c = 0; c < inputs.headDim; c++) {
        u[c] = inverse == 0 ? 0 : (float) (u[c] * inverse);
      }
      u[inputs.headDim] = (float) shift[member][token];
    }
  }

  /**
   * Reads rows that have been readied before into the keys (x) and values (u) of a workspace.
   *
   * @param first the position of the first of them
   */
  void read(ChunkWindow window, int member, int first, int count, Workspace work) {
    for (int i = 0; i < count; i++) {
      int token = window.base() + first + i;
      int head = window.queryHead(member);
      inputs.readQuery(
          window.sequence(), token, head, scale[member][token], work.keys[i], work.halves);
      readU(window, member, token, work.values[i], work.halves);
    }
  }

  /** Returns what a row's query is scaled by. */
  double scale(ChunkWindow window, int member, int position) {
    return scale[member][window.base() + position];
  }
}
