package org.powerattention.runtime.cpu;

import java.util.Arrays;

/** The scratch arrays of one thread of a serving call; kept by a program between calls. */
final class ServingWorkspace {
  /** Tokens that a state takes in at a time, a multiple of 4: half of the largest window. */
  static final int TOKENS = 64;

  /** Keys, each followed by a one: {@code [token][d + 1]}. */
  final float[][] keys;

  /** Values, each followed by a one: {@code [token][d + 1]}. */
  final float[][] values;

  /** Gate factors of those tokens. */
  final float[] factors = new float[TOKENS];

  /** Suffix products of those tokens, {@code [token][suffix]}. */
  final float[][] tokenSuffixes;

  /** Rows of the length of a state row, {@code [token][lane]}. */
  final float[][] tokenRows;

  /** Rows of S that are worked on, {@code [4][lane]}. */
  final float[][] rows;

  /** The same rows of z, one after another. */
  final float[] keyRows;

  /** Sum of tokens for one state row; zero between uses. */
  final float[] rowSum;

  /** Sum of tokens for one row of z; zero between uses. */
  final float[] keyRowSum;

  /** Suffix products of one query. */
  final float[] suffix;

  /** Weights of those tokens for one query. */
  final float[] weights = new float[TOKENS];

  /** One log gate. */
  final float[] gate = new float[1];

  /** One vector of 16-bit numbers. */
  final short[] halves;

  /** Scaled queries of a group, each followed by a one: {@code [query][d + 1]}. */
  float[][] queries = new float[0][];

  /** Sums over state rows of a block, for each query: {@code [query][lane]}. */
  float[][] wide = new float[0][];

  /** The same of z: {@code [query][suffix]}. */
  float[][] keyWide = new float[0][];

  /** Sums of weighted values and, last, of weights: {@code [query][d + 1]}. */
  float[][] total = new float[0][];

  private final int headDim;
  private final FeatureRows features;

  /**
   * @param headDim d
   * @param features rows without a column of ones
   */
  ServingWorkspace(int headDim, FeatureRows features) {
    this.headDim = headDim;
    this.features = features;
    keys = new float[TOKENS][headDim + 1];
    values = new float[TOKENS][headDim + 1];
    tokenSuffixes = new float[TOKENS][features.suffixes];
    tokenRows = new float[TOKENS][features.lanes];
    rows = new float[4][features.lanes];
    keyRows = new float[4 * features.suffixes];
    rowSum = new float[features.lanes];
    keyRowSum = new float[features.suffixes];
    suffix = new float[features.suffixes];
    halves = new short[headDim];
    for (int j = 0; j < TOKENS; j++) {
      keys[j][headDim] = 1;
      values[j][headDim] = 1;
    }
  }

  /** Fills a range of tokens with zeros. */
  void clearTokens(int from, int to) {
    for (int j = from; j < to; j++) {
      Arrays.fill(keys[j], 0, headDim, 0);
      Arrays.fill(values[j], 0, headDim, 0);
      factors[j] = 0;
    }
  }

  /** Makes room for the queries of a group. */
  void reserve(int group) {
    if (queries.length < group) {
      queries = new float[group][headDim + 1];
      wide = new float[group][features.lanes];
      keyWide = new float[group][features.suffixes];
      total = new float[group][headDim + 1];
    }
  }
}
