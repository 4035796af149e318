package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.SavedView;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;

/**
 * The parameter of every backward kernel: struct {@code Arguments} of {@code
 * gradient_arguments.cuh}, field by field. Each takes eight bytes. The workspace is cut up in the
 * same order, so that its size is known once the arguments are written.
 */
final class GradientArguments {
  private static final int POINTERS = 30;
  private static final int STRIDES = 9 * 3;
  private static final int NUMBERS = 10;
  private static final int BYTES = (POINTERS + STRIDES + NUMBERS) * Long.BYTES;
  private static final long ALIGNMENT = 256;

  // The driver copies a launch's arguments before it returns: one buffer a thread is enough.
  private static final ThreadLocal<ByteBuffer> BUFFER =
      ThreadLocal.withInitial(
          () -> ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder()));

  private final ByteBuffer buffer;
  private final long workspace;
  private long used;

  private GradientArguments(ByteBuffer buffer, long workspace) {
    this.buffer = buffer;
    this.workspace = workspace;
  }

  /** Returns the bytes of workspace that a call needs. */
  static long workspaceBytes(BackwardProblem problem, GradientPlan plan) {
    GradientArguments arguments = new GradientArguments(BUFFER.get().clear(), 0);
    arguments.put(problem, plan, null);
    return arguments.used;
  }

  /**
   * Returns the arguments of a call, in a buffer of this thread's.
   *
   * @param saved what the forward pass kept; null if the spec is not normalised
   * @param workspace address of the workspace
   */
  static ByteBuffer of(
      BackwardProblem problem, GradientPlan plan, @Nullable SavedView saved, long workspace) {
    GradientArguments arguments = new GradientArguments(BUFFER.get().clear(), workspace);
    arguments.put(problem, plan, saved);
    return arguments.buffer.flip();
  }

  private void put(BackwardProblem problem, GradientPlan plan, @Nullable SavedView saved) {
    boolean gated = problem.spec().gated();
    boolean normalized = problem.spec().normalized();
    put(problem.q());
    put(problem.k());
    put(problem.v());
    put(problem.logG());
    put(problem.dY());
    put(problem.dQ());
    put(problem.dK());
    put(problem.dV());
    put(problem.dLogG());
    put(problem.packed() == null ? null : problem.packed().table());
    putWorkspace(plan.gateSumBytes());
    put(saved == null ? null : saved.outputs());
    put(saved == null ? null : saved.weightSums());
    putWorkspace(normalized ? plan.rowBytes() : 0);
    putWorkspace(normalized ? plan.rowBytes() : 0);
    putWorkspace(plan.snapshotBytes());
    putWorkspace(plan.snapshotBytes());
    putWorkspace(plan.segmentStateBytes());
    putWorkspace(plan.segmentGradientBytes());
    putWorkspace(plan.productBytes());
    putWorkspace(gated ? plan.rowBytes() : 0);
    putWorkspace(gated ? plan.rowBytes() : 0);
    putWorkspace(gated ? plan.keyRowBytes() : 0);
    putWorkspace(gated ? plan.keyRowBytes() : 0);
    put(problem.initialState());
    put(problem.dFinalState());
    put(problem.dInitialState());
    putStrides(problem.q());
    putStrides(problem.k());
    putStrides(problem.v());
    putStrides(problem.logG());
    putStrides(problem.dY());
    putStrides(problem.dQ());
    putStrides(problem.dK());
    putStrides(problem.dV());
    putStrides(problem.dLogG());
    buffer.putLong(problem.tokens());
    buffer.putLong(problem.queryHeads());
    buffer.putLong(problem.keyHeads());
    buffer.putLong(plan.chunk());
    buffer.putLong(plan.chunksPerSegment());
    buffer.putLong(plan.segments());
    buffer.putLong(plan.allTokens());
    buffer.putLong(plan.allChunks());
    buffer.putLong(problem.tokens());
    buffer.putDouble(normalized ? 1 : Math.pow(problem.scale(), problem.spec().degree()));
  }

  private void put(@Nullable TensorView view) {
    buffer.putLong(view == null ? 0 : view.address());
  }

  private void put(@Nullable Memory memory) {
    buffer.putLong(memory == null ? 0 : memory.address());
  }

  private void put(@Nullable StateView state) {
    put(state == null ? null : state.sums());
    put(state == null ? null : state.keySums());
  }

  private void putWorkspace(long bytes) {
    buffer.putLong(bytes == 0 ? 0 : workspace + used);
    used += ForwardPlan.divideUp(bytes, ALIGNMENT) * ALIGNMENT;
  }

  private void putStrides(@Nullable TensorView view) {
    buffer.putLong(view == null ? 0 : view.batchStride());
    buffer.putLong(view == null ? 0 : view.tokenStride());
    buffer.putLong(view == null ? 0 : view.headStride());
  }
}
