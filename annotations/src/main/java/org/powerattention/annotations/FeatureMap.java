package org.powerattention.annotations;

import java.util.Arrays;

/**
 * The tiled symmetric power {@code phi}, for which {@code <phi(q), phi(k)> = <q, k>^p} once each
 * feature of one side is weighted by its tile's {@linkplain #multiplicity multiplicity}.
 *
 * <p>A vector of {@code d} numbers is cut into {@code d / tau} tiles of {@code tau}. Of all
 * p-tuples of tiles only the non-decreasing ones {@code (I_1 <= ... <= I_p)} are kept, in
 * lexicographic order; each contributes the {@code tau^p} products of one number from each of its
 * tiles, the last index fastest. That makes {@code D = C(d / tau + p - 1, p) * tau^p} features.
 * (arXiv 2507.04239, section 4.)
 */
public final class FeatureMap {
  private final int degree;
  private final int headDim;
  private final int tile;
  private final int tileTuples;
  private final int featuresPerTuple;

  private FeatureMap(int degree, int headDim) {
    this.degree = degree;
    this.headDim = headDim;
    this.tile = tileSize(degree, headDim);
    this.tileTuples = Math.toIntExact(binomial(headDim / tile + degree - 1, degree));
    this.featuresPerTuple = power(tile, degree);
  }

  /**
   * Returns the feature map of a degree and a head size.
   *
   * @throws IllegalArgumentException if either is outside of {@link KernelSpec}'s limits
   */
  public static FeatureMap of(int degree, int headDim) {
    KernelSpec.checkDegree(degree);
    KernelSpec.checkHeadDim(headDim);
    return new FeatureMap(degree, headDim);
  }

  /** tau: 8 for degree 2, 4 for 3, 2 for 4; degree 1 is the identity and one tile holds it all. */
  private static int tileSize(int degree, int headDim) {
    return switch (degree) {
      case 1 -> headDim;
      case 2 -> 8;
      case 3 -> 4;
      default -> 2;
    };
  }

  /** Returns the degree p. */
  public int degree() {
    return degree;
  }

  /** Returns the head size d. */
  public int headDim() {
    return headDim;
  }

  /** Returns the tile size tau. */
  public int tile() {
    return tile;
  }

  /** Returns how many tuples of tiles are kept. */
  public int tileTuples() {
    return tileTuples;
  }

  /** Returns the number of features of one tuple of tiles, {@code tau^p}. */
  public int featuresPerTuple() {
    return featuresPerTuple;
  }

  /** Returns the number of features D. */
  public int size() {
    return tileTuples * featuresPerTuple;
  }

  /**
   * Returns the tile multi-index {@code (I_1 <= ... <= I_p)} at a position of the lexicographic
   * order.
   *
   * @throws IndexOutOfBoundsException if {@code tuple} is not within 0 and {@link #tileTuples}
   */
  public int[] multiIndex(int tuple) {
    if (tuple < 0 || tuple >= tileTuples) {
      throw new IndexOutOfBoundsException("tuple " + tuple + " of " + tileTuples);
    }
    int tiles = headDim / tile;
    int[] index = new int[degree];
    long rest = tuple;
    int least = 0;
    for (int position = 0; position < degree; position++) {
      // Tuples whose entry here is i: those of the remaining positions over the tiles from i on.
      int remaining = degree - position - 1;
      int i = least;
      long count = binomial(tiles - i + remaining - 1, remaining);
      while (rest >= count) {
        rest -= count;
        i++;
        count = binomial(tiles - i + remaining - 1, remaining);
      }
      index[position] = i;
      least = i;
    }
    return index;
  }

  /**
   * Returns how many orderings a non-decreasing tile multi-index stands for: {@code p!} over the
   * product of the factorials of its repetitions.
   */
  public static int multiplicity(int[] multiIndex) {
    int orderings = 1;
    int run = 0;
    for (int i = 0; i < multiIndex.length; i++) {
      run = i > 0 && multiIndex[i] == multiIndex[i - 1] ? run + 1 : 1;
      orderings = orderings * (i + 1) / run;
    }
    return orderings;
  }

  /**
   * Moves a non-decreasing tile multi-index to its successor in lexicographic order.
   *
   * @return false if it was the last one; then it is unchanged
   */
  public boolean advance(int[] multiIndex) {
    int tiles = headDim / tile;
    for (int position = degree - 1; position >= 0; position--) {
      if (multiIndex[position] < tiles - 1) {
        Arrays.fill(multiIndex, position, degree, multiIndex[position] + 1);
        return true;
      }
    }
    return false;
  }

  /** Returns the binomial coefficient {@code C(n, k)}. */
  static long binomial(int n, int k) {
    long result = 1;
    for (int i = 1; i <= k; i++) {
      result = result * (n - k + i) / i;
    }
    return result;
  }

  private static int power(int base, int exponent) {
    int result = 1;
    for (int i = 0; i < exponent; i++) {
      result *= base;
    }
    return result;
  }
}
