package org.powerattention.runtime.cpu;

import java.util.Arrays;

/**
 * The gradients of one head's log gates: for the gate of token m, the sum of {@code c_ij = dL/dw_ij
 * w_ij} over all pairs with {@code j < m <= i}, of which the state before the first token is a key
 * and the gradient of the state after the last one a query.
 *
 * <p>That is a cumulative sum over all tokens of row sums less column sums; but where gates are
 * strong, its rounding errors, which come from everywhere, would bury the few terms that count. So
 * pairs are counted where they span m, and differences accumulate only from chunk to chunk:
 *
 * <ul>
 *   <li>rows of m's own block of rows: summed for each m;
 *   <li>rows of later blocks of the chunk, keys before m's block: summed for each block;
 *   <li>rows of later blocks or, in the overlap, of the next chunk, keys of m's block before m:
 *       sums for each key, added up from the start of the block;
 *   <li>rows that meet m's predecessors through the state: sums for each key, added up from the
 *       start of the tokens that joined the state together, and on top of them the pairs that span
 *       all those tokens. Only these follow from those of the chunk before.
 * </ul>
 */
final class GateGradient {
  private final Inputs inputs;
  private final boolean present;
  private final int blocksPerChunk;

  /** Rows of the own block, for each head of the group. */
  private final double[][] own;

  private final double[] laterRows;
  private final double[] stateKeys;

  /** For each chunk, the sum over its rows of what they have through the state. */
  private final double[] stateRows;

  /** For each block of rows, the sum over later rows of the chunk and keys before the block. */
  private final double[] above;

  /** Whether the gates of the tokens that a chunk passes on to the state leave nothing. */
  private final boolean[] closed;

  /** For each head of the group and block of the current chunk: sums at the blocks before it. */
  private final double[][][] crossings;

  /** For each head of the group and block of the current chunk: what it has through the state. */
  private final double[][] blockStateRows;

  GateGradient(Inputs inputs) {
    this.inputs = inputs;
    this.present = inputs.logG != null;
    int tokens = present ? inputs.span.tokens() : 0;
    this.blocksPerChunk = (inputs.chunk + Workspace.ROWS - 1) / Workspace.ROWS;
    this.own = new double[inputs.group][tokens];
    this.laterRows = new double[tokens];
    this.stateKeys = new double[tokens];
    this.stateRows = new double[inputs.chunks];
    this.above = new double[inputs.chunks * blocksPerChunk];
    this.closed = new boolean[inputs.chunks];
    this.crossings = new double[inputs.group][blocksPerChunk][];
    for (double[][] blocks : crossings) {
      for (int block = 0; block < blocksPerChunk; block++) {
        blocks[block] = new double[block];
      }
    }
    this.blockStateRows = new double[inputs.group][blocksPerChunk];
  }

  /** Forgets the head before. */
  void begin() {
    Arrays.fill(stateKeys, 0);
  }

  /** Goes to the rows of a chunk. */
  void enter() {
    for (double[] blocks : blockStateRows) {
      Arrays.fill(blocks, 0);
    }
  }

  /** Returns where the sums over the rows of a block at each block's start before it belong. */
  double[] crossings(int member, int block) {
    return crossings[member][block];
  }

  /** Returns where the sums over rows of a token's own block and keys before the token belong. */
  double[] own(int member) {
    return own[member];
  }

  /** Takes the sum of what the rows of a block have through the state. */
  void putStateRows(int member, int block, double sum) {
    blockStateRows[member][block] = sum;
  }

  /** Takes for some keys the sums over rows of later blocks that they meet directly. */
  void putLaterRows(int token, double[] sums, int count) {
    if (present) {
      System.arraycopy(sums, 0, laterRows, token, count);
    }
  }

  /** Takes for some keys the sums over all rows that they meet through the state. */
  void putStateKeys(int token, double[] sums, int count) {
    if (present) {
      System.arraycopy(sums, 0, stateKeys, token, count);
    }
  }

  /** Ends the rows of a chunk. */
  void leave(int chunk, ChunkWindow window) {
    int blocks = window.rowBlocks();
    for (int block = 0; block < blocks; block++) {
      double sum = 0;
      for (int later = block + 1; later < blocks; later++) {
        for (int member = 0; member < inputs.group; member++) {
          sum += crossings[member][later][block];
        }
      }
      above[chunk * blocksPerChunk + block] = sum;
    }
    double sum = 0;
    for (int block = 0; block < blocks; block++) {
      for (int member = 0; member < inputs.group; member++) {
        sum += blockStateRows[member][block];
      }
    }
    stateRows[chunk] = sum;
    int taken = window.taken();
    closed[chunk] = taken > 0 && window.gates.liveFromStart(taken - 1, taken) == 0;
  }

  /**
   * Returns the gradients, once all parts are there.
   *
   * @param spanning the sum over all rows behind the first chunk of what they have from the state
   *     before the first token
   */
  double[] finish(double spanning) {
    double[] result = new double[own[0].length];
    double crossing = spanning;
    for (int chunk = 0; chunk < inputs.chunks; chunk++) {
      // The tokens that join the state at the end of this chunk, and all that span them.
      int from = Math.max(0, chunk * inputs.chunk - ChunkWindow.OVERLAP);
      int to =
          chunk == inputs.chunks - 1
              ? result.length
              : (chunk + 1) * inputs.chunk - ChunkWindow.OVERLAP;
      // Rows right behind a joint would leave nothing but rounding errors of a difference.
      double behind = chunk == 0 ? crossing : crossing - stateRows[chunk];
      double sum = closed[chunk] ? 0 : behind;
      for (int m = from; m < to; m++) {
        result[m] = sum + (m < chunk * inputs.chunk ? stateRows[chunk] : 0);
        sum += stateKeys[m];
      }
      crossing = sum;
    }
    addDirect(result);
    return result;
  }

  private void addDirect(double[] result) {
    for (int chunk = 0; chunk < inputs.chunks; chunk++) {
      for (int block = 0; block < blocksPerChunk; block++) {
        int from = chunk * inputs.chunk + block * Workspace.ROWS;
        int to = Math.min(from + Workspace.ROWS, (chunk + 1) * inputs.chunk);
        double sum = above[chunk * blocksPerChunk + block];
        for (int m = from; m < Math.min(to, result.length); m++) {
          for (double[] rows : own) {
            result[m] += rows[m];
          }
          result[m] += sum;
          sum += laterRows[m];
        }
      }
    }
  }
}
