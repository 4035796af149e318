package org.powerattention.processor.plan;

/** The order in which tiles of rows are started, by {@code row_tiles.cuh}. */
final class RowTiles {
  private static final int MOST_CHUNKS = 32;

  /** Bytes of states that are to stay in an L2 cache, beside what else passes through it. */
  private static final long CACHED_BYTES = 12 << 20;

  private RowTiles() {}

  /**
   * Returns how many chunks of heads take turns, if a chunk's tiles read a state of so many bytes.
   */
  static Constant turn(long snapshotBytes) {
    long chunks = Math.max(1, Math.min(MOST_CHUNKS, CACHED_BYTES / snapshotBytes));
    return new Constant("int", "kTurn", (int) chunks, "chunks of heads whose row tiles take turns");
  }
}
