package org.powerattention.examples.quickstart;

/** Something that stores values under keys and is asked for them by key. */
interface AssociativeMemory extends AutoCloseable {
  /** Returns what to call it in the table and the plot. */
  String name();

  /**
   * Stores values under keys, in place of what was stored before.
   *
   * @param keys {@code [count, HEAD_DIM]}, unit vectors
   * @param values of the same shape
   */
  void memorise(float[] keys, float[] values);

  /**
   * Answers queries.
   *
   * @param queries {@code [count, HEAD_DIM]}, unit vectors
   * @return one answer for each, of the same shape; only its direction matters
   */
  float[] recall(float[] queries);

  /** Returns the bytes that hold what is stored now. */
  long bytes();

  /** Frees what it holds. */
  @Override
  void close();
}
