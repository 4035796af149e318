package org.powerattention.runtime.cpu;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.StateView;

/** The state S and z of one head, in the rows that {@link FeatureRows} describes. */
final class StateSums {
  private final FeatureRows features;
  private final float[][] rows;
  private final int headDim;
  private boolean zero = true;

  StateSums(FeatureRows features, int headDim) {
    this(features, headDim, new float[features.rows][features.lanes]);
  }

  private StateSums(FeatureRows features, int headDim, float[][] rows) {
    this.features = features;
    this.headDim = headDim;
    this.rows = rows;
  }

  /** Returns a state that is zero and stays so, without memory. */
  static StateSums alwaysZero(FeatureRows features, int headDim) {
    return new StateSums(features, headDim, new float[0][]);
  }

  /** Becomes a head's state in memory, or zero. */
  void load(@Nullable StateView view, int head) {
    if (view != null) {
      FloatBuffer sums = CpuMemory.bufferOf(view.sums()).asFloatBuffer();
      FloatBuffer keySums = keySums(view);
      int feature = head * features.rows * features.suffixes;
      for (float[] row : rows) {
        for (int at = 0; at < row.length; at += features.columns, feature++) {
          sums.get(feature * headDim, row, at, headDim);
          if (keySums != null) {
            row[at + headDim] = keySums.get(feature);
          }
        }
      }
      zero = false;
    } else if (!zero) {
      for (float[] row : rows) {
        Arrays.fill(row, 0);
      }
      zero = true;
    }
  }

  /** Writes a head's state to memory. */
  void store(StateView view, int head) {
    FloatBuffer sums = CpuMemory.bufferOf(view.sums()).asFloatBuffer();
    FloatBuffer keySums = keySums(view);
    int feature = head * features.rows * features.suffixes;
    for (float[] row : rows) {
      for (int at = 0; at < row.length; at += features.columns, feature++) {
        sums.put(feature * headDim, row, at, headDim);
        if (keySums != null) {
          keySums.put(feature, row[at + headDim]);
        }
      }
    }
  }

  /**
   * Becomes a head's gradient of a state in memory, over the multiplicities: the gradient of a
   * state is a sum of features too, with multiplicities where a state has none.
   */
  void loadGradient(@Nullable StateView view, int head) {
    load(view, head);
    if (view != null) {
      for (int entry = 0; entry < features.rows; entry++) {
        float[] row = row(entry);
        for (int i = 0; i < row.length; i++) {
          row[i] /= features.multiplicity[entry];
        }
      }
    }
  }

  /** Applies the multiplicities that {@link #loadGradient} has divided by. */
  void weigh() {
    for (int entry = 0; entry < features.rows; entry++) {
      Vectors.scale(row(entry), features.multiplicity[entry], features.lanes);
    }
  }

  /**
   * Returns an entry's share of {@code <this, S> + <this, z>} with a head's state in memory, with
   * multiplicities.
   */
  double dot(StateView view, int head, int entry) {
    FloatBuffer sums = CpuMemory.bufferOf(view.sums()).asFloatBuffer();
    FloatBuffer keySums = keySums(view);
    float[] row = row(entry);
    float[] vector = new float[headDim];
    int feature = (head * features.rows + features.row[entry]) * features.suffixes;
    double dot = 0;
    for (int at = 0; at < row.length; at += features.columns, feature++) {
      sums.get(feature * headDim, vector, 0, headDim);
      for (int c = 0; c < headDim; c++) {
        dot += (double) row[at + c] * vector[c];
      }
      if (keySums != null) {
        dot += (double) row[at + headDim] * keySums.get(feature);
      }
    }
    return dot * features.multiplicity[entry];
  }

  /** Returns the row of an entry. */
  float[] row(int entry) {
    return rows[features.row[entry]];
  }

  private @Nullable FloatBuffer keySums(StateView view) {
    return view.keySums() == null || features.columns == headDim
        ? null
        : CpuMemory.bufferOf(view.keySums()).asFloatBuffer();
  }

  /** Returns whether nothing has been added yet. */
  boolean isZero() {
    return zero;
  }

  /** Says that {@link #decay} or {@link #add} has been or will be called on all entries. */
  void markFilled() {
    zero = false;
  }

  /**
   * Moves a range of entries, which holds the tokens before a window, forward by the window's first
   * {@code taken} tokens.
   */
  void advance(ChunkWindow window, int taken, int fromEntry, int toEntry, Workspace work) {
    Gates gates = window.gates;
    int last = taken - 1;
    if (!zero && gates.present()) {
      decay(gates.sinceStart(last), fromEntry, toEntry);
    }
    for (int j = gates.firstLive(last); j < taken; j += Workspace.TOKENS) {
      int count = Math.min(Workspace.TOKENS, taken - j);
      window.readTokens(j, count, work);
      for (int i = 0; i < count; i++) {
        Vectors.scale(work.values[i], gates.between(last, j + i), features.columns);
      }
      add(work, count, fromEntry, toEntry);
    }
  }

  /**
   * Adds what the state says of the queries of the workspace, at positions from {@code first} on,
   * to the workspace's totals.
   */
  void addTo(Workspace work, Gates gates, int first, int count) {
    int live = gates.liveFromStart(first, first + count);
    read(work, live);
    for (int i = 0; i < live; i++) {
      float factor = gates.sinceStart(first + i);
      for (int c = 0; c < features.columns; c++) {
        work.total[c][i] += factor * work.fromState[i][c];
      }
    }
  }

  /** {@code S <- factor S} for a range of entries. */
  void decay(float factor, int fromEntry, int toEntry) {
    for (int entry = fromEntry; entry < toEntry; entry++) {
      Vectors.scale(rows[features.row[entry]], factor, features.lanes);
    }
  }

  /**
   * {@code S <- S + sum_j phi(k_j) v_j^T} for a range of entries, over the first {@code count}
   * tokens of the workspace. They are summed before they are added, so that rounding errors grow
   * with the number of calls and not of tokens.
   */
  void add(Workspace work, int count, int fromEntry, int toEntry) {
    // Tokens are taken in fours; the last four are filled up with zeros.
    int padded = (count + 3) & ~3;
    for (int j = count; j < padded; j++) {
      Arrays.fill(work.keys[j], 0);
      Arrays.fill(work.values[j], 0);
    }
    for (int block = 0; block < features.blocks; block++) {
      int from = Math.max(fromEntry, features.blockStart[block]);
      int to = Math.min(toEntry, features.blockStart[block + 1]);
      if (from < to) {
        for (int j = 0; j < padded; j++) {
          outerProduct(block, work.keys[j], work.values[j], work.suffix, work.wide[j]);
        }
        for (int entry = from; entry < to; entry++) {
          addTokens(work, padded, entry);
        }
      }
    }
  }

  private void addTokens(Workspace work, int padded, int entry) {
    float[][] k = work.keys;
    float[][] wide = work.wide;
    float[] sum = work.rowSum;
    for (int j = 0; j < padded; j += 4) {
      Vectors.add4(
          sum,
          wide[j],
          wide[j + 1],
          wide[j + 2],
          wide[j + 3],
          features.prefix(entry, k[j]),
          features.prefix(entry, k[j + 1]),
          features.prefix(entry, k[j + 2]),
          features.prefix(entry, k[j + 3]),
          0,
          features.lanes);
    }
    Vectors.drain(sum, rows[features.row[entry]], features.lanes);
  }

  /** {@code target = suffix(x) v^T}. */
  private void outerProduct(int block, float[] x, float[] v, float[] suffix, float[] target) {
    features.suffix(block, x, suffix);
    int columns = features.columns;
    for (int f = 0; f < features.suffixes; f++) {
      float factor = suffix[f];
      int at = f * columns;
      for (int c = 0; c < columns; c++) {
        target[at + c] = factor * v[c];
      }
    }
  }

  /**
   * {@code fromState[i] = phi(q_i) S} with multiplicities, for the first {@code count} queries of
   * the workspace.
   */
  void read(Workspace work, int count) {
    for (int i = 0; i < count; i++) {
      Arrays.fill(work.fromState[i], 0);
    }
    for (int start = 0; start < count; start += Workspace.TOKENS) {
      int end = Math.min(count, start + Workspace.TOKENS);
      for (int block = 0; block < features.blocks; block++) {
        if (features.blockStart[block] < features.blockStart[block + 1]) {
          readBlock(work, start, end, block);
        }
      }
    }
  }

  private void readBlock(Workspace work, int start, int end, int block) {
    for (int i = start; i < end; i++) {
      Arrays.fill(work.wide[i - start], 0);
    }
    // Every block has a multiple of four entries: 8 per tuple for p = 2, 16 for 3, 4 for 4.
    for (int e = features.blockStart[block]; e < features.blockStart[block + 1]; e += 4) {
      float[] row0 = rows[features.row[e]];
      float[] row1 = rows[features.row[e + 1]];
      float[] row2 = rows[features.row[e + 2]];
      float[] row3 = rows[features.row[e + 3]];
      // The four entries belong to one tuple of tiles and share its weight.
      float weight = features.multiplicity[e];
      for (int i = start; i < end; i++) {
        float[] x = work.queries[i];
        Vectors.add4(
            work.wide[i - start],
            row0,
            row1,
            row2,
            row3,
            weight * features.prefix(e, x),
            weight * features.prefix(e + 1, x),
            weight * features.prefix(e + 2, x),
            weight * features.prefix(e + 3, x),
            0,
            features.lanes);
      }
    }
    for (int i = start; i < end; i++) {
      features.suffix(block, work.queries[i], work.suffix);
      contract(work.suffix, work.wide[i - start], work.fromState[i]);
    }
  }

  /** {@code target[c] += sum_f suffix[f] wide[f, c]}. */
  private void contract(float[] suffix, float[] wide, float[] target) {
    int columns = features.columns;
    for (int f = 0; f < features.suffixes; f++) {
      float factor = suffix[f];
      int at = f * columns;
      for (int c = 0; c < columns; c++) {
        target[c] += factor * wide[at + c];
      }
    }
  }
}
