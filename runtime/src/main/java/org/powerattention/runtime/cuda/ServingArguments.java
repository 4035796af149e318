package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;
import org.powerattention.runtime.spi.WindowView;

/**
 * The parameter of every serving kernel: struct {@code ServingArguments} of {@code
 * serving_arguments.cuh}, field by field. Each takes eight bytes.
 */
final class ServingArguments {
  private static final int POINTERS = 15;
  private static final int STRIDES = 5 * 3;
  private static final int NUMBERS = 8;
  private static final int BYTES = (POINTERS + STRIDES + NUMBERS) * Long.BYTES;

  // The driver copies a launch's arguments before it returns: one buffer a thread is enough.
  private static final ThreadLocal<ByteBuffer> BUFFER =
      ThreadLocal.withInitial(
          () -> ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder()));

  private ServingArguments() {}

  /** Returns the arguments of a decode call, in a buffer of this thread's. */
  static ByteBuffer of(DecodeProblem problem, DecodePlan plan) {
    ByteBuffer buffer = BUFFER.get().clear();
    putTensors(buffer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putState(buffer, problem.state());
    buffer.putLong(problem.workspace().address());
    putJoined(buffer, null, null);
    putStrides(buffer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putSizes(buffer, problem.batch(), 1, problem.queryHeads(), problem.keyHeads(), plan, 0);
    return buffer.putDouble(Math.pow(problem.scale(), problem.spec().degree())).flip();
  }

  /**
   * Returns the arguments of the kernels that prepare and finish a prefill call.
   *
   * @param kept tokens that a fold leaves in the windows
   * @param joined the layout of the workspace
   */
  static ByteBuffer of(
      PrefillProblem problem, DecodePlan plan, int kept, JoinedTokens joined, Memory workspace) {
    ByteBuffer buffer = BUFFER.get().clear();
    putTensors(buffer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putState(buffer, problem.state());
    buffer.putLong(0);
    putJoined(buffer, joined, workspace);
    putStrides(buffer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putSizes(
        buffer,
        problem.batch(),
        problem.tokens(),
        problem.queryHeads(),
        problem.keyHeads(),
        plan,
        kept);
    return buffer.putDouble(0).flip();
  }

  /** Returns the arguments of a fold of all that is in the windows. */
  static ByteBuffer of(StateView state, int batch, int keyHeads, DecodePlan plan) {
    ByteBuffer buffer = BUFFER.get().clear();
    putTensors(buffer, null, null, null, null, null);
    putState(buffer, state);
    buffer.putLong(0);
    putJoined(buffer, null, null);
    putStrides(buffer, null, null, null, null, null);
    putSizes(buffer, batch, 0, keyHeads, keyHeads, plan, 0);
    return buffer.putDouble(0).flip();
  }

  private static void putTensors(ByteBuffer buffer, @Nullable TensorView... views) {
    for (TensorView view : views) {
      buffer.putLong(view == null ? 0 : view.address());
    }
  }

  private static void putState(ByteBuffer buffer, StateView state) {
    WindowView window = window(state);
    buffer.putLong(state.sums().address());
    putAddress(buffer, state.keySums());
    putAddress(buffer, window.keys());
    putAddress(buffer, window.values());
    putAddress(buffer, window.logGates());
    putAddress(buffer, window.spans());
  }

  /** Returns the window of a state, which serving needs. */
  static WindowView window(StateView state) {
    WindowView window = state.window();
    if (window == null) {
      throw new IllegalArgumentException("a state without a window; pass one from newState");
    }
    return window;
  }

  private static void putAddress(ByteBuffer buffer, @Nullable Memory memory) {
    buffer.putLong(memory == null ? 0 : memory.address());
  }

  private static void putJoined(
      ByteBuffer buffer, @Nullable JoinedTokens joined, @Nullable Memory workspace) {
    if (joined == null || workspace == null) {
      buffer.putLong(0).putLong(0).putLong(0);
      return;
    }
    long address = workspace.address();
    buffer.putLong(address);
    buffer.putLong(address + joined.valueOffset());
    buffer.putLong(joined.gateBytes() == 0 ? 0 : address + joined.gateOffset());
  }

  private static void putStrides(ByteBuffer buffer, @Nullable TensorView... views) {
    for (TensorView view : views) {
      buffer.putLong(view == null ? 0 : view.batchStride());
      buffer.putLong(view == null ? 0 : view.tokenStride());
      buffer.putLong(view == null ? 0 : view.headStride());
    }
  }

  private static void putSizes(
      ByteBuffer buffer,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      DecodePlan plan,
      int kept) {
    buffer.putLong(batch);
    buffer.putLong(tokens);
    buffer.putLong(queryHeads);
    buffer.putLong(keyHeads);
    buffer.putLong(plan.splits());
    buffer.putLong(plan.splitFeatures());
    buffer.putLong(kept);
  }
}
