package org.powerattention.runtime;

import java.lang.ref.Reference;
import java.util.List;
import org.powerattention.runtime.spi.Memory;

/** Clears and copies states, whole or by sequence. All their blocks begin with the batch. */
final class StateCopies {
  private StateCopies() {}

  /** Sets a whole state to zero. */
  static void clear(State state) {
    try {
      state.sumBlocks().forEach(Memory::clear);
      if (state.hasWindowMemory()) {
        state.serving().spans().clear();
      }
    } finally {
      Reference.reachabilityFence(state);
    }
  }

  /** Sets one sequence of a state to zero. */
  static void clear(State state, int sequence) {
    try {
      state.sumBlocks().forEach(block -> clear(state, block, sequence));
      clearWindow(state, sequence);
    } finally {
      Reference.reachabilityFence(state);
    }
  }

  private static void clearWindow(State state, int sequence) {
    if (state.hasWindowMemory()) {
      clear(state, state.serving().spans(), sequence);
    }
  }

  private static void clear(State state, Memory block, int sequence) {
    long bytes = block.bytes() / state.batch();
    block.clear(sequence * bytes, bytes);
  }

  /** Puts one sequence of a state in the place of one of another of the same spec and heads. */
  static void copySequence(State to, int toSequence, State from, int fromSequence) {
    if (to == from && toSequence == fromSequence) {
      return;
    }
    try {
      copy(to.sumBlocks(), toSequence, to.batch(), from.sumBlocks(), fromSequence);
      if (from.holdsWindow()) {
        List<Memory> window = to.serving().windowBlocks();
        to.markWindow();
        copy(window, toSequence, to.batch(), from.serving().windowBlocks(), fromSequence);
      } else {
        clearWindow(to, toSequence);
      }
    } finally {
      Reference.reachabilityFence(to);
      Reference.reachabilityFence(from);
    }
  }

  private static void copy(
      List<Memory> to, long toSequence, int toBatch, List<Memory> from, long fromSequence) {
    for (int n = 0; n < to.size(); n++) {
      long bytes = to.get(n).bytes() / toBatch;
      to.get(n).copyFrom(from.get(n), fromSequence * bytes, toSequence * bytes, bytes);
    }
  }

  /** Returns a copy of a state for an operator of the same spec. */
  static State copy(State from, PowerAttentionOperator target) {
    State to = State.allocate(target, from.batch(), from.keyHeads(), null);
    try {
      copyAll(to.sumBlocks(), from.sumBlocks());
      if (from.holdsWindow()) {
        copyAll(to.serving().windowBlocks(), from.serving().windowBlocks());
        to.markWindow();
      }
      return to;
    } catch (RuntimeException | Error e) {
      to.close();
      throw e;
    } finally {
      Reference.reachabilityFence(from);
    }
  }

  private static void copyAll(List<Memory> to, List<Memory> from) {
    for (int n = 0; n < to.size(); n++) {
      to.get(n).copyFrom(from.get(n), 0, 0, to.get(n).bytes());
    }
  }
}
