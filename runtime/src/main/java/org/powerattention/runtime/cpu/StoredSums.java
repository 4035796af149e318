package org.powerattention.runtime.cpu;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.StateView;

/**
 * The sums S and z of a state where they lie in memory. A few rows at a time pass through the first
 * level cache: loops over arrays are vectorised, loops over buffers are not.
 *
 * <p>Heads are counted over all sequences; the rows have no column of ones, since z lies apart.
 */
final class StoredSums {
  /** Numbers of S per part, some 5 microseconds. */
  private static final int PART = 1 << 15;

  private static final int MOST_PARTS = 64;

  /** Parts of a head that can be worked on side by side; the spec alone says how many. */
  final int parts;

  private final FeatureRows features;
  private final int headDim;
  private final FloatBuffer sums;
  private final @Nullable FloatBuffer keySums;

  /**
   * @param features rows without a column of ones
   */
  StoredSums(FeatureRows features, StateView view) {
    long numbers = (long) features.rows * features.lanes;
    this.parts = (int) Math.max(1, Math.min(numbers / PART, MOST_PARTS));
    this.features = features;
    this.headDim = features.columns;
    this.sums = CpuMemory.bufferOf(view.sums()).asFloatBuffer();
    Memory keys = view.keySums();
    this.keySums = keys == null ? null : CpuMemory.bufferOf(keys).asFloatBuffer();
  }

  /** First entry of a part; fours of entries stay together. */
  private int bound(int part) {
    return 4 * Math.toIntExact((long) (features.rows / 4) * part / parts);
  }

  /**
   * Adds {@code phi(q) S} and {@code phi(q) z} over a part of a head, with multiplicities, to the
   * totals of the first {@code group} queries of the workspace.
   */
  void read(int head, int part, int group, ServingWorkspace work) {
    int fromEntry = bound(part);
    int toEntry = bound(part + 1);
    for (int block = 0; block < features.blocks; block++) {
      int from = Math.max(fromEntry, features.blockStart[block]);
      int to = Math.min(toEntry, features.blockStart[block + 1]);
      if (from < to) {
        readBlock(head, group, from, to, work);
        for (int g = 0; g < group; g++) {
          features.suffix(block, work.queries[g], work.suffix);
          contract(work.suffix, work.wide[g], work.keyWide[g], work.total[g]);
        }
      }
    }
  }

  private void readBlock(int head, int group, int from, int to, ServingWorkspace work) {
    for (int g = 0; g < group; g++) {
      Arrays.fill(work.wide[g], 0);
      Arrays.fill(work.keyWide[g], 0);
    }
    // The four entries belong to one tuple of tiles: their rows are neighbours and share a weight.
    for (int e = from; e < to; e += 4) {
      load(head, e, work);
      float weight = features.multiplicity[e];
      for (int g = 0; g < group; g++) {
        float[] x = work.queries[g];
        float a0 = weight * features.prefix(e, x);
        float a1 = weight * features.prefix(e + 1, x);
        float a2 = weight * features.prefix(e + 2, x);
        float a3 = weight * features.prefix(e + 3, x);
        float[][] rows = work.rows;
        Vectors.add4(
            work.wide[g], rows[0], rows[1], rows[2], rows[3], a0, a1, a2, a3, 0, features.lanes);
        if (keySums != null) {
          addKeyRows(work.keyWide[g], work.keyRows, a0, a1, a2, a3);
        }
      }
    }
  }

  private void addKeyRows(float[] out, float[] z, float a0, float a1, float a2, float a3) {
    int n = features.suffixes;
    for (int f = 0; f < n; f++) {
      out[f] += (a0 * z[f] + a1 * z[n + f]) + (a2 * z[2 * n + f] + a3 * z[3 * n + f]);
    }
  }

  /** {@code total[c] += sum_f suffix[f] wide[f, c]}, and the like for the weights. */
  private void contract(float[] suffix, float[] wide, float[] keyWide, float[] total) {
    for (int f = 0; f < features.suffixes; f++) {
      float factor = suffix[f];
      int at = f * headDim;
      for (int c = 0; c < headDim; c++) {
        total[c] += factor * wide[at + c];
      }
      total[headDim] += factor * keyWide[f];
    }
  }

  /**
   * {@code S <- decay S + sum_j factor_j phi(k_j) v_j^T}, and the like for z, over a part of a head
   * and the first {@code count} tokens of the workspace.
   */
  void fold(int head, int part, float decay, int count, ServingWorkspace work) {
    int fromEntry = bound(part);
    int toEntry = bound(part + 1);
    int padded = (count + 3) & ~3;
    work.clearTokens(count, padded);
    for (int block = 0; block < features.blocks; block++) {
      int from = Math.max(fromEntry, features.blockStart[block]);
      int to = Math.min(toEntry, features.blockStart[block + 1]);
      if (from < to) {
        for (int j = 0; j < padded; j++) {
          outerProduct(block, j, work);
        }
        for (int e = from; e < to; e += 4) {
          load(head, e, work);
          for (int n = 0; n < 4; n++) {
            addTokens(e + n, n, padded, decay, work);
          }
          store(head, e, work);
        }
      }
    }
  }

  /** {@code tokenRow = factor suffix(k) v^T}, and the suffix products with that factor. */
  private void outerProduct(int block, int token, ServingWorkspace work) {
    float[] suffix = work.tokenSuffixes[token];
    float[] row = work.tokenRows[token];
    float[] v = work.values[token];
    features.suffix(block, work.keys[token], suffix);
    for (int f = 0; f < features.suffixes; f++) {
      suffix[f] *= work.factors[token];
      float factor = suffix[f];
      int at = f * headDim;
      for (int c = 0; c < headDim; c++) {
        row[at + c] = factor * v[c];
      }
    }
  }

  private void addTokens(int entry, int n, int padded, float decay, ServingWorkspace work) {
    float[][] k = work.keys;
    float[][] wide = work.tokenRows;
    float[][] suffix = work.tokenSuffixes;
    for (int j = 0; j < padded; j += 4) {
      float a0 = features.prefix(entry, k[j]);
      float a1 = features.prefix(entry, k[j + 1]);
      float a2 = features.prefix(entry, k[j + 2]);
      float a3 = features.prefix(entry, k[j + 3]);
      Vectors.add4(
          work.rowSum,
          wide[j],
          wide[j + 1],
          wide[j + 2],
          wide[j + 3],
          a0,
          a1,
          a2,
          a3,
          0,
          features.lanes);
      if (keySums != null) {
        Vectors.add4(
            work.keyRowSum,
            suffix[j],
            suffix[j + 1],
            suffix[j + 2],
            suffix[j + 3],
            a0,
            a1,
            a2,
            a3,
            0,
            features.suffixes);
      }
    }
    Vectors.scale(work.rows[n], decay, features.lanes);
    Vectors.drain(work.rowSum, work.rows[n], features.lanes);
    if (keySums != null) {
      int at = n * features.suffixes;
      for (int f = 0; f < features.suffixes; f++) {
        work.keyRows[at + f] = decay * work.keyRows[at + f] + work.keyRowSum[f];
        work.keyRowSum[f] = 0;
      }
    }
  }

  private void load(int head, int entry, ServingWorkspace work) {
    int feature = feature(head, entry);
    for (int n = 0; n < 4; n++) {
      sums.get((feature + n * features.suffixes) * headDim, work.rows[n], 0, features.lanes);
    }
    if (keySums != null) {
      keySums.get(feature, work.keyRows, 0, 4 * features.suffixes);
    }
  }

  private void store(int head, int entry, ServingWorkspace work) {
    int feature = feature(head, entry);
    for (int n = 0; n < 4; n++) {
      sums.put((feature + n * features.suffixes) * headDim, work.rows[n], 0, features.lanes);
    }
    if (keySums != null) {
      keySums.put(feature, work.keyRows, 0, 4 * features.suffixes);
    }
  }

  private int feature(int head, int entry) {
    return (head * features.rows + features.row[entry]) * features.suffixes;
  }
}
