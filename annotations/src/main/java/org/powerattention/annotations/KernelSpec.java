package org.powerattention.annotations;

import java.util.Objects;

/**
 * What a {@link PowerAttention} declaration denotes, and everything that follows from it alone: the
 * size of the state, and the arithmetic of both forms.
 *
 * <p>FLOPs count a multiply-add as two and are given per token and query head of a causal sequence,
 * with one query head per key/value head. A normalised operator's sum of weights is counted as the
 * {@value #KEY_SUM_COLUMNS} extra value columns that it takes on a tensor core.
 *
 * @param degree the power p, 1 to 4
 * @param headDim the size d of a head, 16 to 128 in steps of 16
 * @param chunk tokens per chunk of the chunked form, a multiple of 64 up to 65,536
 * @param dtype element type of q, k, v and y
 * @param gated whether the operator takes log gates
 * @param normalized whether y is divided by the sum of the weights; even degrees only
 */
public record KernelSpec(
    int degree, int headDim, int chunk, DType dtype, boolean gated, boolean normalized) {
  /** Least degree. */
  public static final int MIN_DEGREE = 1;

  /** Greatest degree. */
  public static final int MAX_DEGREE = 4;

  /** Least head size, and the step between head sizes. */
  public static final int HEAD_DIM_STEP = 16;

  /** Greatest head size. */
  public static final int MAX_HEAD_DIM = 128;

  /** Least chunk, and the step between chunks. */
  public static final int CHUNK_STEP = 64;

  /** Greatest chunk. */
  public static final int MAX_CHUNK = 65_536;

  /** Greatest {@link #stateBytes} of one key/value head: 1 GiB. */
  public static final long MAX_STATE_BYTES = 1L << 30;

  /** Value columns that the sum of the weights is counted as. */
  public static final int KEY_SUM_COLUMNS = 8;

  /** Greatest {@link #windowTokens}. */
  public static final int MAX_WINDOW_TOKENS = 128;

  /**
   * Tensor-core FLOPs that a GPU does in the time of one byte of device memory traffic: 700 TFLOP/s
   * over 4.2 TB/s, measured on an H200. It weighs arithmetic against state traffic in {@link
   * #recommendedChunk}.
   */
  private static final double FLOPS_PER_BYTE = 170;

  /**
   * Checks the values.
   *
   * @throws IllegalArgumentException if one is outside of its range, an odd degree is normalised,
   *     or the state exceeds {@link #MAX_STATE_BYTES}
   */
  public KernelSpec {
    checkDegree(degree);
    checkHeadDim(headDim);
    if (chunk < CHUNK_STEP || chunk > MAX_CHUNK || chunk % CHUNK_STEP != 0) {
      throw new IllegalArgumentException(
          "chunk = " + chunk + "; allowed: multiples of 64 from 64 to " + MAX_CHUNK);
    }
    Objects.requireNonNull(dtype, "dtype");
    if (normalized && degree % 2 != 0) {
      throw new IllegalArgumentException(
          "normalized = true with degree = "
              + degree
              + ": weights of an odd degree can be negative, so their sum cannot normalise;"
              + " use normalized = false or an even degree");
    }
    if (stateBytes(degree, headDim, normalized) > MAX_STATE_BYTES) {
      throw new IllegalArgumentException(
          "degree = "
              + degree
              + " with headDim = "
              + headDim
              + " has a state of "
              + stateBytes(degree, headDim, normalized)
              + " bytes per head; allowed: up to "
              + MAX_STATE_BYTES);
    }
  }

  // The methods that a record has by itself are linked at their first use, which takes a program's
  // start some 25 ms.

  @Override
  public boolean equals(Object other) {
    return other == this
        || other instanceof KernelSpec spec
            && degree == spec.degree
            && headDim == spec.headDim
            && chunk == spec.chunk
            && dtype == spec.dtype
            && gated == spec.gated
            && normalized == spec.normalized;
  }

  @Override
  public int hashCode() {
    int numbers = (degree * 31 + headDim) * 31 + chunk;
    return (numbers * 31 + dtype.hashCode()) * 4 + (gated ? 2 : 0) + (normalized ? 1 : 0);
  }

  @Override
  public String toString() {
    return "KernelSpec[degree="
        + degree
        + ", headDim="
        + headDim
        + ", chunk="
        + chunk
        + ", dtype="
        + dtype
        + ", gated="
        + gated
        + ", normalized="
        + normalized
        + "]";
  }

  /** Returns the spec of a declaration, with {@link PowerAttention#AUTOMATIC} resolved. */
  public static KernelSpec of(
      int degree, int headDim, int chunk, DType dtype, boolean gated, boolean normalized) {
    int resolved =
        chunk == PowerAttention.AUTOMATIC ? recommendedChunk(degree, headDim, normalized) : chunk;
    return new KernelSpec(degree, headDim, resolved, dtype, gated, normalized);
  }

  /**
   * Returns the chunk that minimises time per token by the cost model: a token's share of writing
   * and reading one bf16 state per chunk, plus the attention within the chunk. The minimum of
   * {@code a / c + b c} is at {@code sqrt(a / b)}; it is rounded to the nearest power of two, at
   * least 256, below which blocks of rows are cut short.
   */
  public static int recommendedChunk(int degree, int headDim, boolean normalized) {
    double columns = valueColumns(headDim, normalized);
    double stateTraffic = 4.0 * FeatureMap.of(degree, headDim).size() * columns * FLOPS_PER_BYTE;
    double chunk = Math.sqrt(stateTraffic / (headDim + columns));
    int exponent = (int) Math.round(Math.log(chunk) / Math.log(2));
    return 1 << Math.max(8, Math.min(exponent, 14));
  }

  /**
   * Returns the bytes of one key/value head's state: D (d + 1) fp32 numbers, or D d without sum.
   */
  public static long stateBytes(int degree, int headDim, boolean normalized) {
    int numbers = headDim + (normalized ? 1 : 0);
    return (long) FeatureMap.of(degree, headDim).size() * numbers * Float.BYTES;
  }

  /**
   * Returns whether a forward call that is saved keeps the states at the chunks' starts for the
   * backward call. Those of degrees 3 and 4 are many times the size of what a chunk's tokens take,
   * and are computed again.
   */
  public boolean keepsStates() {
    return degree <= 2;
  }

  /** Returns the feature map. */
  public FeatureMap featureMap() {
    return FeatureMap.of(degree, headDim);
  }

  /** Returns D, the number of features of a key or query. */
  public int featureDim() {
    return featureMap().size();
  }

  /**
   * Returns the bytes of one key/value head's state, see {@link #stateBytes(int, int, boolean)}.
   */
  public long stateBytes() {
    return stateBytes(degree, headDim, normalized);
  }

  /**
   * Returns how many of a sequence's latest tokens can wait beside its state while it serves, an
   * even number. Half of them are taken into the state at once, so that a decode step reads the
   * state but writes it only once in half as many steps.
   */
  public int windowTokens() {
    return Math.min(MAX_WINDOW_TOKENS, chunk);
  }

  /** Returns the FLOPs per token and head of the attention form over {@code tokens} tokens. */
  public double attentionFlopsPerToken(long tokens) {
    return tokens / 2.0 * pairFlops();
  }

  /** Returns the FLOPs per token and head of the chunked form, whatever the sequence length. */
  public double chunkedFlopsPerToken() {
    return 4.0 * featureDim() * valueColumns(headDim, normalized) + chunk / 2.0 * pairFlops();
  }

  /** Returns the least number of tokens from which the chunked form takes fewer FLOPs. */
  public long crossoverTokens() {
    return (long) Math.floor(2 * chunkedFlopsPerToken() / pairFlops()) + 1;
  }

  /** FLOPs of one query against one key: the score, and the weighted value with its sum. */
  private double pairFlops() {
    return 2.0 * headDim + 2.0 * valueColumns(headDim, normalized);
  }

  private static int valueColumns(int headDim, boolean normalized) {
    return headDim + (normalized ? KEY_SUM_COLUMNS : 0);
  }

  static void checkDegree(int degree) {
    if (degree < MIN_DEGREE || degree > MAX_DEGREE) {
      throw new IllegalArgumentException("degree = " + degree + "; allowed: 1 to 4");
    }
  }

  static void checkHeadDim(int headDim) {
    if (headDim < HEAD_DIM_STEP || headDim > MAX_HEAD_DIM || headDim % HEAD_DIM_STEP != 0) {
      throw new IllegalArgumentException(
          "headDim = " + headDim + "; allowed: multiples of 16 from 16 to 128");
    }
  }
}
