package org.powerattention.runtime.cpu;

import java.util.Arrays;
import org.powerattention.annotations.FeatureMap;
import org.powerattention.annotations.KernelSpec;

/**
 * How the state of one head is cut into rows. A feature is a product of p numbers of x; the last
 * {@code s} of them (0, 1, 1, 2 for degrees 1 to 4) are its suffix, the others its prefix. In the
 * order of {@link FeatureMap}, features that differ in their suffix only are neighbours, so a row
 * holds the value columns of all {@code tau^s} suffixes of one prefix and one tuple of tiles:
 *
 * <pre>row[f * columns + c] = S[row * suffixes + f, c]</pre>
 *
 * and every row of a block, that is of one tuple of suffix tiles, is a multiple of the same long
 * vector {@code suffix(x) v^T}. That turns both uses of the state into sums of long rows.
 */
final class FeatureRows {
  private final int headDim;
  private final int tile;
  private final int tiles;
  private final int suffixTiles;

  /** Numbers of the suffix product: tau^s. */
  final int suffixes;

  /** Value columns: d, and one of ones if the operator is normalised, which sums the weights. */
  final int columns;

  /** Length of a row. */
  final int lanes;

  /** Number of rows, D / tau^s. */
  final int rows;

  /** Number of blocks; some may be empty. */
  final int blocks;

  /** First entry of each block, and the number of entries at the end. */
  final int[] blockStart;

  /** Row of each entry; the entries of a block are its rows. */
  final int[] row;

  /** Weight of each entry's tuple of tiles. */
  final float[] multiplicity;

  /** The prefix of each entry: two positions in x, the second one d (a one) if there is none. */
  private final byte[] first;

  private final byte[] second;

  FeatureRows(KernelSpec spec) {
    FeatureMap map = spec.featureMap();
    headDim = spec.headDim();
    tile = map.tile();
    tiles = headDim / tile;
    suffixTiles = spec.degree() / 2;
    suffixes = power(tile, suffixTiles);
    columns = headDim + (spec.normalized() ? 1 : 0);
    lanes = suffixes * columns;
    rows = map.size() / suffixes;
    blocks = power(tiles, suffixTiles);
    blockStart = new int[blocks + 1];
    row = new int[rows];
    multiplicity = new float[rows];
    first = new byte[rows];
    second = new byte[rows];
    int prefixes = map.featuresPerTuple() / suffixes;
    int[] index = map.multiIndex(0);
    do {
      blockStart[block(index) + 1] += prefixes;
    } while (map.advance(index));
    for (int block = 0; block < blocks; block++) {
      blockStart[block + 1] += blockStart[block];
    }
    place(map, prefixes);
  }

  private void place(FeatureMap map, int prefixes) {
    int[] next = blockStart.clone();
    boolean pair = map.degree() - suffixTiles == 2;
    int[] index = map.multiIndex(0);
    int nextRow = 0;
    do {
      int block = block(index);
      for (int prefix = 0; prefix < prefixes; prefix++) {
        int entry = next[block]++;
        row[entry] = nextRow++;
        multiplicity[entry] = FeatureMap.multiplicity(index);
        first[entry] = (byte) (index[0] * tile + (pair ? prefix / tile : prefix));
        second[entry] = (byte) (pair ? index[1] * tile + prefix % tile : headDim);
      }
    } while (map.advance(index));
  }

  private int block(int[] index) {
    int block = 0;
    for (int position = index.length - suffixTiles; position < index.length; position++) {
      block = block * tiles + index[position];
    }
    return block;
  }

  /** Returns an entry's prefix product of x, an array of d numbers and a one. */
  float prefix(int entry, float[] x) {
    return x[first[entry] & 0xff] * x[second[entry] & 0xff];
  }

  /** Computes the suffix products of a block. */
  void suffix(int block, float[] x, float[] target) {
    switch (suffixTiles) {
      case 0 -> target[0] = 1;
      case 1 -> System.arraycopy(x, block * tile, target, 0, tile);
      default -> {
        int left = block / tiles * tile;
        int right = block % tiles * tile;
        for (int f = 0; f < suffixes; f++) {
          target[f] = x[left + f / tile] * x[right + f % tile];
        }
      }
    }
  }

  /** Returns the first position in x of an entry's prefix. */
  int first(int entry) {
    return first[entry] & 0xff;
  }

  /** Returns the second position in x of an entry's prefix; d if there is none. */
  int second(int entry) {
    return second[entry] & 0xff;
  }

  /** Computes the suffix products of a block for many x at once, whose numbers are rows of x. */
  void suffixes(int block, float[][] x, float[][] target, int count) {
    for (int f = 0; f < suffixes; f++) {
      switch (suffixTiles) {
        case 0 -> Arrays.fill(target[f], 0, count, 1);
        case 1 -> System.arraycopy(x[block * tile + f], 0, target[f], 0, count);
        default -> {
          System.arraycopy(x[left(block, f)], 0, target[f], 0, count);
          Vectors.multiply(target[f], x[right(block, f)], 0, count);
        }
      }
    }
  }

  /** Adds to the gradient of x what follows from the gradient of a block's suffix products. */
  void addSuffixGradient(
      int block, float[][] x, float[][] gradient, float[][] xGradient, int count) {
    for (int f = 0; f < suffixes; f++) {
      switch (suffixTiles) {
        case 0 -> {}
        case 1 -> Vectors.add(xGradient[block * tile + f], gradient[f], count);
        default -> {
          int left = left(block, f);
          int right = right(block, f);
          Vectors.addProduct(xGradient[left], gradient[f], x[right], 0, count);
          Vectors.addProduct(xGradient[right], gradient[f], x[left], 0, count);
        }
      }
    }
  }

  private int left(int block, int f) {
    return block / tiles * tile + f / tile;
  }

  private int right(int block, int f) {
    return block % tiles * tile + f % tile;
  }

  private static int power(int base, int exponent) {
    int result = 1;
    for (int i = 0; i < exponent; i++) {
      result *= base;
    }
    return result;
  }
}
