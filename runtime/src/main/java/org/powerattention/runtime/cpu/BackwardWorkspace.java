package org.powerattention.runtime.cpu;

/**
 * The scratch arrays of one thread in a backward call: those of the forward pass, and as many
 * again.
 *
 * <p>A block of rows, the lanes of all loops, meets tiles of other rows. The lanes are queries and
 * the tiles keys, or the other way round; a row is a vector x, the (scaled) query or the key, and a
 * vector u, the weighted upstream gradient of a query or the value of a key, which stand in for
 * each other: {@code <x, x'>} is a score, and {@code <u, u'>} the gradient of its weight.
 */
final class BackwardWorkspace {
  /** Arrays shared with the forward pass: x and u of the tile are its keys and values. */
  final Workspace rows;

  /** u of the lanes, {@code [row][column]}. */
  final float[][] u;

  /** The same, transposed: {@code [column][row]}. */
  final float[][] uByColumn;

  /** Gradients of the scores of a tile, {@code [tile row][row]}. */
  final float[][] slopes;

  /** Sums in progress of the gradient of x, {@code [d][row]}. */
  final float[][] xPart;

  /** Sums so far of the gradient of x, {@code [d][row]}. */
  final float[][] xTotal;

  /** The part of the gradient of x that goes through a state, {@code [d][row]}. */
  final float[][] xFromState;

  /** {@code <S[f], u>} of each row for a few features, {@code [suffix][row]}. */
  final float[][] projections;

  /** Suffix products of each row, {@code [suffix][row]}. */
  final float[][] suffixes;

  /** Gradients of the suffix products, {@code [suffix][row]}. */
  final float[][] suffixGradients;

  /** Prefix product of each row, with its multiplicity. */
  final float[] prefix;

  /** Gradient of the prefix product of each row. */
  final float[] prefixGradient;

  /** Sums of {@code slope * score} in progress, for each row. */
  final float[] contributionPart;

  /** Sums of {@code dL/dw w} so far, for each row. */
  final double[] contributions;

  BackwardWorkspace(int headDim, FeatureRows features) {
    rows = new Workspace(headDim, features);
    u = new float[Workspace.ROWS][features.columns];
    uByColumn = new float[features.columns][Workspace.ROWS];
    slopes = new float[Workspace.KEYS][Workspace.ROWS];
    xPart = new float[headDim][Workspace.ROWS];
    xTotal = new float[headDim][Workspace.ROWS];
    xFromState = new float[headDim][Workspace.ROWS];
    projections = new float[features.suffixes][Workspace.ROWS];
    suffixes = new float[features.suffixes][Workspace.ROWS];
    suffixGradients = new float[features.suffixes][Workspace.ROWS];
    prefix = new float[Workspace.ROWS];
    prefixGradient = new float[Workspace.ROWS];
    contributionPart = new float[Workspace.ROWS];
    contributions = new double[Workspace.ROWS];
  }

  /** Transposes u of the lanes. */
  void transposeU(int count) {
    for (int c = 0; c < uByColumn.length; c++) {
      float[] column = uByColumn[c];
      for (int i = 0; i < count; i++) {
        column[i] = u[i][c];
      }
    }
  }

  /** Adds the contributions in progress, over p, to those so far. */
  void drainContributions(int degree, int from, int to) {
    for (int i = from; i < to; i++) {
      contributions[i] += contributionPart[i] / degree;
      contributionPart[i] = 0;
    }
  }
}
