package org.powerattention.runtime;

import java.lang.ref.Reference;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.Memory;

/**
 * Makes, clears and copies states, whole or by sequence. The first dimension of all their blocks is
 * the batch.
 */
final class States {
  private States() {}

  /** Returns a state of zeros. */
  static State zeros(PowerAttentionOperator operator, int batch, int keyHeads) {
    Accelerator accelerator = operator.accelerator();
    return make(operator, batch, keyHeads, layout -> accelerator.zeros(DType.FP32, layout.shape()));
  }

  /** Returns a state whose sums have undefined content, for work on a stream. */
  static State undefined(
      PowerAttentionOperator operator, int batch, int keyHeads, @Nullable Stream stream) {
    Accelerator accelerator = operator.accelerator();
    return make(
        operator, batch, keyHeads, layout -> accelerator.allocateFor(stream, DType.FP32, layout));
  }

  private static State make(
      PowerAttentionOperator operator, int batch, int keyHeads, Function<Layout, Tensor> memory) {
    KernelSpec spec = operator.spec();
    Layout sums = Layout.contiguous(batch, keyHeads, spec.featureDim(), spec.headDim());
    Layout keySums = Layout.contiguous(batch, keyHeads, spec.featureDim());
    try (Allocations made = new Allocations()) {
      State state =
          new State(
              operator,
              batch,
              keyHeads,
              made.add(memory.apply(sums)),
              spec.normalized() ? made.add(memory.apply(keySums)) : null);
      made.keep();
      return state;
    }
  }

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
    State to = undefined(target, from.batch(), from.keyHeads(), null);
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
