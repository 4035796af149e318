package org.powerattention.runtime.cpu;

/** The scratch arrays of one thread, a few hundred kilobytes; kept by a program between calls. */
final class Workspace {
  /** Query rows that are computed together, the lanes of the attention part. */
  static final int ROWS = 256;

  /** Keys that are multiplied with those rows at a time. A divisor of {@link #ROWS}. */
  static final int KEYS = 16;

  /** Tokens or queries that meet the state at a time, a multiple of 4. */
  static final int TOKENS = 64;

  /** Scaled queries of the row block, each followed by a one: {@code [row][d + 1]}. */
  final float[][] queries;

  /** What each query was scaled by. */
  final double[] queryScale;

  /** The same queries, transposed: {@code [d][row]}. */
  final float[][] queriesByFeature;

  /** Weights of a tile of keys: {@code [key][row]}. */
  final float[][] weights;

  /** Sums over keys in progress, {@code [column][row]}. */
  final float[][] part;

  /** Sums over keys so far, {@code [column][row]}. */
  final float[][] total;

  /** What the state contributes, {@code [row][column]}. */
  final float[][] fromState;

  /** Gate factor of each row. */
  final float[] rowFactor;

  /** Keys, each followed by a one: {@code [token][d + 1]}. */
  final float[][] keys;

  /** Values, followed by a one if normalised: {@code [token][column]}. */
  final float[][] values;

  /** Rows of the length of a state row, {@code [token][lane]}. */
  final float[][] wide;

  /** Sum of tokens for one state row; zero between uses. */
  final float[] rowSum;

  /** Suffix products of one token. */
  final float[] suffix;

  /** One vector of 16-bit numbers. */
  final short[] halves;

  Workspace(int headDim, FeatureRows features) {
    queries = new float[ROWS][headDim + 1];
    queryScale = new double[ROWS];
    queriesByFeature = new float[headDim][ROWS];
    weights = new float[KEYS][ROWS];
    part = new float[features.columns][ROWS];
    total = new float[features.columns][ROWS];
    fromState = new float[ROWS][features.columns];
    rowFactor = new float[ROWS];
    keys = new float[TOKENS][headDim + 1];
    values = new float[TOKENS][features.columns];
    wide = new float[TOKENS][features.lanes];
    rowSum = new float[features.lanes];
    suffix = new float[features.suffixes];
    halves = new short[headDim];
  }
}
