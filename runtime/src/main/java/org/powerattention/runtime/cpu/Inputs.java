package org.powerattention.runtime.cpu;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.TensorView;

/** The inputs of a span of sequences, opened: what all threads share. */
final class Inputs {
  final KernelSpec spec;
  final FeatureRows features;
  final Span span;
  final int headDim;
  final int keyHeads;

  /** Length of a chunk; the attention form is one chunk. */
  final int chunk;

  /** Number of chunks; none if the sequences are empty. */
  final int chunks;

  /** Query heads per key/value head. */
  final int group;

  /** Positions before token 0 that earlier tokens can take; a multiple of 16. */
  final int lead;

  /** Tokens before token 0, up to {@link #lead} of each head; or null. */
  final @Nullable WindowRing earlier;

  final @Nullable TensorView logG;
  private final double scale;
  private final ElementReader queries;
  private final ElementReader keys;
  private final ElementReader values;

  Inputs(ForwardProblem problem, Span span, FeatureRows features, @Nullable WindowRing earlier) {
    this(
        problem.spec(),
        features,
        span,
        problem.chunked(),
        problem.scale(),
        problem.queryHeads(),
        problem.keyHeads(),
        problem.q(),
        problem.k(),
        problem.v(),
        problem.logG(),
        earlier);
  }

  Inputs(BackwardProblem problem, Span span, FeatureRows features) {
    this(
        problem.spec(),
        features,
        span,
        problem.chunked(),
        problem.scale(),
        problem.queryHeads(),
        problem.keyHeads(),
        problem.q(),
        problem.k(),
        problem.v(),
        problem.logG(),
        null);
  }

  private Inputs(
      KernelSpec spec,
      FeatureRows features,
      Span span,
      boolean chunked,
      double scale,
      int queryHeads,
      int keyHeads,
      TensorView q,
      TensorView k,
      TensorView v,
      @Nullable TensorView logG,
      @Nullable WindowRing earlier) {
    this.spec = spec;
    this.features = features;
    this.span = span;
    this.headDim = spec.headDim();
    this.keyHeads = keyHeads;
    this.chunk = chunked ? Math.min(spec.chunk(), span.tokens()) : span.tokens();
    this.chunks = chunk == 0 ? 0 : (span.tokens() + chunk - 1) / chunk;
    this.group = queryHeads / keyHeads;
    this.lead = earlier == null ? 0 : earlier.capacity / 2;
    this.earlier = earlier;
    this.logG = logG;
    this.scale = scale;
    this.queries = new ElementReader(q, headDim);
    this.keys = new ElementReader(k, headDim);
    this.values = new ElementReader(v, headDim);
  }

  /** Reads a key, followed by a one; earlier tokens have negative numbers. */
  void readKey(int sequence, int token, int head, float[] target, short[] halves) {
    if (earlier != null && token < 0) {
      earlier.readLatestKey(sequence * keyHeads + head, -token, target, halves);
    } else {
      keys.read(sequence, span.firstToken() + token, head, target, halves);
    }
    target[headDim] = 1;
  }

  /** Reads a value, followed by a one if the operator is normalised. */
  void readValue(int sequence, int token, int head, float[] target, short[] halves) {
    if (earlier != null && token < 0) {
      earlier.readLatestValue(sequence * keyHeads + head, -token, target, halves);
    } else {
      values.read(sequence, span.firstToken() + token, head, target, halves);
    }
    if (spec.normalized()) {
      target[headDim] = 1;
    }
  }

  /** Reads a query times a factor, followed by a one. */
  void readQuery(int sequence, int token, int head, double factor, float[] target, short[] halves) {
    queries.read(sequence, span.firstToken() + token, head, target, halves);
    for (int c = 0; c < headDim; c++) {
      target[c] = (float) (target[c] * factor);
    }
    target[headDim] = 1;
  }

  /**
   * Reads queries from a token on into the workspace, in both layouts, and scales them.
   *
   * <p>The scale cancels out of a normalised row, so there a power of two takes its place that
   * brings the row's greatest number near 1: powers of scores then overflow much later.
   */
  void readQueries(int sequence, int head, int token, int count, Workspace work) {
    for (int i = 0; i < count; i++) {
      float[] query = work.queries[i];
      queries.read(sequence, span.firstToken() + token + i, head, query, work.halves);
      double factor = spec.normalized() ? balance(query, headDim) : scale;
      for (int c = 0; c < headDim; c++) {
        query[c] = (float) (query[c] * factor);
        work.queriesByFeature[c][i] = query[c];
      }
      query[headDim] = 1;
      work.queryScale[i] = factor;
    }
  }

  /** Returns the power of two that brings the greatest number of a query near 1. */
  static double balance(float[] query, int length) {
    float greatest = 0;
    for (int c = 0; c < length; c++) {
      greatest = Math.max(greatest, Math.abs(query[c]));
    }
    return greatest > 0 && greatest < Float.POSITIVE_INFINITY
        ? Math.scalb(1.0, -Math.getExponent((double) greatest))
        : 1;
  }

  /** Returns the row of a token among those that are saved for the backward call. */
  int row(int sequence, int token) {
    return span.firstToken() + (sequence - span.firstSequence()) * span.tokens() + token;
  }

  /** Estimates the FLOPs of a forward call over a span. */
  static double flops(
      KernelSpec spec, FeatureRows features, Span span, int heads, boolean chunked, boolean state) {
    int chunk = chunked ? Math.min(spec.chunk(), span.tokens()) : span.tokens();
    double perToken = spec.attentionFlopsPerToken(chunk);
    if (chunk < span.tokens() || state) {
      perToken += 4.0 * features.rows * features.lanes;
    }
    return perToken * span.sequences() * span.tokens() * heads;
  }
}
