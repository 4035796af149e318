package org.powerattention.runtime.cpu;

import org.powerattention.runtime.spi.ForwardProblem;

/** A forward call with its tensors opened: what all threads share. */
final class ForwardCall {
  final ForwardProblem problem;
  final FeatureRows features;
  final int headDim;

  /** Length of a chunk; the attention form is one chunk. */
  final int chunk;

  /** Query heads per key/value head. */
  final int group;

  private final ElementReader queries;
  private final ElementReader keys;
  private final ElementReader values;
  private final ElementWriter outputs;

  ForwardCall(ForwardProblem problem, FeatureRows features) {
    this.problem = problem;
    this.features = features;
    this.headDim = problem.spec().headDim();
    this.chunk =
        problem.chunked() ? Math.min(problem.spec().chunk(), problem.tokens()) : problem.tokens();
    this.group = problem.queryHeads() / problem.keyHeads();
    this.queries = new ElementReader(problem.q(), headDim);
    this.keys = new ElementReader(problem.k(), headDim);
    this.values = new ElementReader(problem.v(), headDim);
    this.outputs = new ElementWriter(problem.y(), headDim);
  }

  /** Reads keys and values from a token on into the workspace. */
  void readTokens(int batch, int head, int token, int count, Workspace work) {
    for (int i = 0; i < count; i++) {
      keys.read(batch, token + i, head, work.keys[i], work.halves);
      work.keys[i][headDim] = 1;
      values.read(batch, token + i, head, work.values[i], work.halves);
      if (problem.spec().normalized()) {
        work.values[i][headDim] = 1;
      }
    }
  }

  /**
   * Reads queries from a token on into the workspace, in both layouts, and scales them.
   *
   * <p>The scale cancels out of a normalised row, so there a power of two takes its place that
   * brings the row's greatest number near 1: powers of scores then overflow much later.
   */
  void readQueries(int batch, int head, int token, int count, Workspace work) {
    for (int i = 0; i < count; i++) {
      float[] query = work.queries[i];
      queries.read(batch, token + i, head, query, work.halves);
      double scale = problem.spec().normalized() ? balance(query, headDim) : problem.scale();
      for (int c = 0; c < headDim; c++) {
        query[c] = (float) (query[c] * scale);
        work.queriesByFeature[c][i] = query[c];
      }
      query[headDim] = 1;
    }
  }

  private static double balance(float[] query, int length) {
    float greatest = 0;
    for (int c = 0; c < length; c++) {
      greatest = Math.max(greatest, Math.abs(query[c]));
    }
    return greatest > 0 && greatest < Float.POSITIVE_INFINITY
        ? Math.scalb(1.0, -Math.getExponent((double) greatest))
        : 1;
  }

  /** Writes one vector of the output. */
  void write(int batch, int token, int head, float[] y, Workspace work) {
    outputs.write(batch, token, head, y, work.halves);
  }
}
