package org.powerattention.runtime.cpu;

import org.jspecify.annotations.Nullable;
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

  /** Tokens that come before token 0 and are attended to, or null. */
  final @Nullable WindowRing window;

  /** Positions that those tokens take, which is more than there may be; a multiple of 16. */
  final int lead;

  private final ElementReader queries;
  private final ElementReader keys;
  private final ElementReader values;
  private final ElementWriter outputs;

  /**
   * @param window tokens before token 0, up to half of its capacity for each head; null for none
   */
  ForwardCall(ForwardProblem problem, FeatureRows features, @Nullable WindowRing window) {
    this.problem = problem;
    this.features = features;
    this.headDim = problem.spec().headDim();
    this.chunk =
        problem.chunked() ? Math.min(problem.spec().chunk(), problem.tokens()) : problem.tokens();
    this.group = problem.queryHeads() / problem.keyHeads();
    this.window = window;
    this.lead = window == null ? 0 : window.capacity / 2;
    this.queries = new ElementReader(problem.q(), headDim);
    this.keys = new ElementReader(problem.k(), headDim);
    this.values = new ElementReader(problem.v(), headDim);
    this.outputs = new ElementWriter(problem.y(), headDim);
  }

  /** Reads keys and values from a token on, maybe a negative one, into the workspace. */
  void readTokens(int batch, int head, int token, int count, Workspace work) {
    for (int i = 0; i < count; i++) {
      if (window != null && token + i < 0) {
        int index = batch * problem.keyHeads() + head;
        window.readLatest(index, -(token + i), work.keys[i], work.values[i], work.halves);
      } else {
        keys.read(batch, token + i, head, work.keys[i], work.halves);
        values.read(batch, token + i, head, work.values[i], work.halves);
      }
      work.keys[i][headDim] = 1;
      if (problem.spec().normalized()) {
        work.values[i][headDim] = 1;
      }
    }
  }

  /** Reads queries from a token on into the workspace, in both layouts, and scales them. */
  void readQueries(int batch, int head, int token, int count, Workspace work) {
    for (int i = 0; i < count; i++) {
      float[] query = work.queries[i];
      queries.read(batch, token + i, head, query, work.halves);
      scaleQuery(query, headDim, problem.spec().normalized(), problem.scale());
      for (int c = 0; c < headDim; c++) {
        work.queriesByFeature[c][i] = query[c];
      }
      query[headDim] = 1;
    }
  }

  /**
   * Scales a query.
   *
   * <p>The scale cancels out of a normalised row, so there a power of two takes its place that
   * brings the row's greatest number near 1: powers of scores then overflow much later.
   */
  static void scaleQuery(float[] query, int length, boolean normalized, double scale) {
    double factor = normalized ? balance(query, length) : scale;
    for (int c = 0; c < length; c++) {
      query[c] = (float) (query[c] * factor);
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
