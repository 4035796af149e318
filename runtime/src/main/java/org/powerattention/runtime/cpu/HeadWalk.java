package org.powerattention.runtime.cpu;

/**
 * One key/value head of one sequence on its way through a call, in steps. Each step has blocks,
 * which are independent of each other, and then an update of the head's state, which can be split
 * by the state's entries.
 *
 * @param <W> the scratch arrays of a thread
 */
interface HeadWalk<W> {
  /**
   * Goes to the start of a head.
   *
   * @param index sequence times heads plus head
   */
  void begin(int index);

  /** Goes to a step; they are numbered from 0. */
  void enter(int step);

  /** Returns how many blocks the step has. */
  int blocks();

  /** Computes one block of the step. Those that take longest come first. */
  void block(int block, W work);

  /** Returns whether the step updates the state. */
  boolean updates();

  /** Updates a range of the state's entries. */
  void update(int fromEntry, int toEntry, W work);

  /** Ends a step, after all its blocks and updates. */
  void leave();

  /** Ends the head, after all steps. */
  void end();
}
