package org.powerattention.runtime.cpu;

import java.util.Arrays;

/** Products of a block of lanes with a tile of {@link Workspace#KEYS} rows. */
final class Tiles {
  private static final int ROWS = Workspace.KEYS;

  private Tiles() {}

  /** {@code out[t][i] = sum_c lanes[c][i] tile[t][c]} on lanes {@code [from, to)}. */
  static void multiply(
      float[][] lanes, float[][] tile, int columns, float[][] out, int from, int to) {
    int even = columns & ~3;
    for (int t = 0; t < ROWS; t++) {
      if (even < columns) {
        Vectors.scaled(out[t], lanes[even], tile[t][even], from, to);
      } else {
        Arrays.fill(out[t], from, to, 0);
      }
    }
    for (int c = 0; c < even; c += 4) {
      for (int t = 0; t < ROWS; t++) {
        float[] row = tile[t];
        Vectors.add4(
            out[t],
            lanes[c],
            lanes[c + 1],
            lanes[c + 2],
            lanes[c + 3],
            row[c],
            row[c + 1],
            row[c + 2],
            row[c + 3],
            from,
            to);
      }
    }
  }

  /** {@code part[c][i] += sum_t factors[t][i] tile[t][c]} on lanes {@code [from, to)}. */
  static void accumulate(
      float[][] factors, float[][] tile, int columns, float[][] part, int from, int to) {
    for (int c = 0; c < columns; c++) {
      float[] out = part[c];
      for (int t = 0; t < ROWS; t += 4) {
        Vectors.add4(
            out,
            factors[t],
            factors[t + 1],
            factors[t + 2],
            factors[t + 3],
            tile[t][c],
            tile[t + 1][c],
            tile[t + 2][c],
            tile[t + 3][c],
            from,
            to);
      }
    }
  }

  /** Fills a tile's rows from {@code count} on with zeros. */
  static void pad(float[][] tile, int count) {
    for (int t = count; t < ROWS; t++) {
      Arrays.fill(tile[t], 0);
    }
  }
}
