package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;

/**
 * The parameter of every forward kernel: struct {@code Arguments} of {@code arguments.cuh}, field
 * by field. Each takes eight bytes.
 */
final class ForwardArguments {
  private static final int POINTERS = 15;
  private static final int STRIDES = 5 * 3;
  private static final int NUMBERS = 12;
  private static final int BYTES = (POINTERS + STRIDES + NUMBERS) * Long.BYTES;
  private static final int TOTALS_OFFSET = BYTES - 2 * Long.BYTES;

  // The driver copies a launch's arguments before it returns: one buffer a thread is enough.
  private static final ThreadLocal<ByteBuffer> BUFFER =
      ThreadLocal.withInitial(
          () -> ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder()));

  private ForwardArguments() {}

  /**
   * Returns the arguments of a call, in a buffer of this thread's.
   *
   * @param queryStart token of k and v at which q and y begin
   * @param heldBack tokens at the end that the final state leaves out
   */
  static ByteBuffer of(
      ForwardProblem problem,
      ForwardPlan plan,
      int queryStart,
      int heldBack,
      @Nullable Memory workspace) {
    long work = workspace == null ? 0 : workspace.address();
    ByteBuffer buffer = BUFFER.get().clear();
    buffer.putLong(problem.q().address());
    buffer.putLong(problem.k().address());
    buffer.putLong(problem.v().address());
    buffer.putLong(problem.logG() == null ? 0 : problem.logG().address());
    buffer.putLong(problem.y() == null ? 0 : problem.y().address());
    buffer.putLong(plan.gateSumBytes() == 0 ? 0 : work + plan.gateSumOffset());
    buffer.putLong(plan.snapshotBytes() == 0 ? 0 : work + plan.snapshotOffset());
    buffer.putLong(plan.segmentBytes() == 0 ? 0 : work + plan.segmentOffset());
    putState(buffer, problem.initialState());
    putState(buffer, problem.finalState());
    putAddress(buffer, problem.packed() == null ? null : problem.packed().table());
    putAddress(buffer, problem.saved() == null ? null : problem.saved().outputs());
    putAddress(buffer, problem.saved() == null ? null : problem.saved().weightSums());
    putStrides(buffer, problem.q());
    putStrides(buffer, problem.k());
    putStrides(buffer, problem.v());
    putStrides(buffer, problem.logG());
    putStrides(buffer, problem.y());
    buffer.putLong(problem.tokens());
    buffer.putLong(plan.allTokens());
    buffer.putLong(plan.allChunks());
    buffer.putLong(queryStart);
    buffer.putLong((long) problem.tokens() - heldBack);
    buffer.putLong(problem.queryHeads());
    buffer.putLong(problem.keyHeads());
    buffer.putLong(plan.chunk());
    buffer.putLong(plan.chunksPerSegment());
    buffer.putLong(plan.segments());
    buffer.putLong(0);
    buffer.putDouble(Math.pow(problem.scale(), problem.spec().degree()));
    return buffer.flip();
  }

  /** Says whether the state pass sums each segment alone. */
  static void segmentTotals(ByteBuffer arguments, boolean totals) {
    arguments.putLong(TOTALS_OFFSET, totals ? 1 : 0);
  }

  private static void putState(ByteBuffer buffer, @Nullable StateView state) {
    putAddress(buffer, state == null ? null : state.sums());
    putAddress(buffer, state == null ? null : state.keySums());
  }

  private static void putAddress(ByteBuffer buffer, @Nullable Memory memory) {
    buffer.putLong(memory == null ? 0 : memory.address());
  }

  private static void putStrides(ByteBuffer buffer, @Nullable TensorView view) {
    buffer.putLong(view == null ? 0 : view.batchStride());
    buffer.putLong(view == null ? 0 : view.tokenStride());
    buffer.putLong(view == null ? 0 : view.headStride());
  }
}
