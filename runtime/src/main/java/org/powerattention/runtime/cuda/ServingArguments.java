package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
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
  private static final ThreadLocal<ByteBuffer> BUFFERS = ArgumentWriter.buffers();

  private ServingArguments() {}

  /** Returns the arguments of a decode call, in a buffer of this thread's. */
  static ByteBuffer of(DecodeProblem problem, DecodePlan plan) {
    ArgumentWriter writer = new ArgumentWriter(BUFFERS);
    putTensors(writer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putState(writer, problem.state());
    writer.put(problem.workspace());
    writer.put(problem.workspace().address() + plan.partialsOffset());
    putJoined(writer, null, null);
    putStrides(writer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putSizes(writer, problem.batch(), 1, problem.queryHeads(), problem.keyHeads(), plan, 0);
    return writer.put(Math.pow(problem.scale(), problem.spec().degree())).written();
  }

  /**
   * Returns the arguments of the kernels that prepare and finish a prefill call.
   *
   * @param kept tokens that a fold leaves in the windows
   * @param joined the layout of the workspace
   */
  static ByteBuffer of(
      PrefillProblem problem, DecodePlan plan, int kept, JoinedTokens joined, Memory workspace) {
    ArgumentWriter writer = new ArgumentWriter(BUFFERS);
    putTensors(writer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putState(writer, problem.state());
    writer.put(0L).put(0L);
    putJoined(writer, joined, workspace);
    putStrides(writer, problem.q(), problem.k(), problem.v(), problem.logG(), problem.y());
    putSizes(
        writer,
        problem.batch(),
        problem.tokens(),
        problem.queryHeads(),
        problem.keyHeads(),
        plan,
        kept);
    return writer.put(0.0).written();
  }

  /** Returns the arguments of a fold of all that is in the windows. */
  static ByteBuffer of(StateView state, int batch, int keyHeads, DecodePlan plan) {
    ArgumentWriter writer = new ArgumentWriter(BUFFERS);
    putTensors(writer, null, null, null, null, null);
    putState(writer, state);
    writer.put(0L).put(0L);
    putJoined(writer, null, null);
    putStrides(writer, null, null, null, null, null);
    putSizes(writer, batch, 0, keyHeads, keyHeads, plan, 0);
    return writer.put(0.0).written();
  }

  private static void putTensors(ArgumentWriter writer, @Nullable TensorView... views) {
    for (TensorView view : views) {
      writer.put(view);
    }
  }

  private static void putState(ArgumentWriter writer, StateView state) {
    WindowView window = window(state);
    writer.put(state);
    writer.put(window.keys());
    writer.put(window.values());
    writer.put(window.logGates());
    writer.put(window.spans());
  }

  /** Returns the window of a state, which serving needs. */
  static WindowView window(StateView state) {
    WindowView window = state.window();
    if (window == null) {
      throw new IllegalArgumentException("a state without a window; pass one from newState");
    }
    return window;
  }

  private static void putJoined(
      ArgumentWriter writer, @Nullable JoinedTokens joined, @Nullable Memory workspace) {
    if (joined == null || workspace == null) {
      writer.put(0L).put(0L).put(0L);
      return;
    }
    long address = workspace.address();
    writer.put(address);
    writer.put(address + joined.valueOffset());
    writer.put(joined.gateBytes() == 0 ? 0 : address + joined.gateOffset());
  }

  private static void putStrides(ArgumentWriter writer, @Nullable TensorView... views) {
    for (TensorView view : views) {
      writer.putStrides(view);
    }
  }

  private static void putSizes(
      ArgumentWriter writer,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      DecodePlan plan,
      int kept) {
    writer.put(batch);
    writer.put(tokens);
    writer.put(queryHeads);
    writer.put(keyHeads);
    writer.put(plan.splits());
    writer.put(plan.splitFeatures());
    writer.put(kept);
  }
}
