package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.SavedView;

/**
 * The parameter of every backward kernel: struct {@code Arguments} of {@code
 * gradient_arguments.cuh}, field by field. Each takes eight bytes. The workspace is cut up in the
 * same order, so that its size is known once the arguments are written.
 */
final class GradientArguments {
  private static final ThreadLocal<ByteBuffer> BUFFERS = ArgumentWriter.buffers();

  private final ArgumentWriter writer = new ArgumentWriter(BUFFERS);
  private final long workspace;
  private long used;

  private GradientArguments(long workspace) {
    this.workspace = workspace;
  }

  /** Returns the bytes of workspace that a call needs. */
  static long workspaceBytes(BackwardProblem problem, GradientPlan plan, KeptStates kept) {
    GradientArguments arguments = new GradientArguments(0);
    arguments.put(problem, plan, SavedView.NOTHING, kept);
    return arguments.used;
  }

  /**
   * Returns the arguments of a call, in a buffer of this thread's.
   *
   * @param saved what the forward pass kept, as far as the kernels need it
   * @param kept where kept states lie
   * @param workspace address of the workspace
   */
  static ByteBuffer of(
      BackwardProblem problem,
      GradientPlan plan,
      SavedView saved,
      KeptStates kept,
      long workspace) {
    GradientArguments arguments = new GradientArguments(workspace);
    arguments.put(problem, plan, saved, kept);
    return arguments.writer.written();
  }

  private void put(BackwardProblem problem, GradientPlan plan, SavedView saved, KeptStates kept) {
    boolean gated = problem.spec().gated();
    boolean normalized = problem.spec().normalized();
    writer.put(problem.q());
    writer.put(problem.k());
    writer.put(problem.v());
    writer.put(problem.logG());
    writer.put(problem.dY());
    writer.put(problem.dQ());
    writer.put(problem.dK());
    writer.put(problem.dV());
    writer.put(problem.dLogG());
    writer.put(problem.packed() == null ? null : problem.packed().table());
    putWorkspace(plan.gateSumBytes());
    writer.put(saved.outputs());
    writer.put(saved.weightSums());
    putWorkspace(normalized ? plan.rowBytes() : 0);
    putWorkspace(normalized ? plan.rowBytes() : 0);
    Memory states = saved.states();
    boolean keySums = states != null && KeptStates.keySumBytes(problem.spec()) > 0;
    writer.put(states);
    writer.put(keySums ? states.address() + kept.keySumsOffset() : 0);
    putWorkspace(plan.snapshotBytes());
    putWorkspace(plan.segmentGradientBytes());
    putWorkspace(plan.productBytes());
    putWorkspace(gated ? plan.rowBytes() : 0);
    putWorkspace(gated ? plan.rowBytes() : 0);
    putWorkspace(gated ? plan.keyRowBytes() : 0);
    putWorkspace(gated ? plan.keyRowBytes() : 0);
    writer.put(problem.initialState());
    writer.put(problem.dFinalState());
    writer.put(problem.dInitialState());
    putWorkspace(plan.jointParts() * plan.jointNumbers() * Double.BYTES);
    long totals = workspace + used;
    putWorkspace(plan.jointNumbers() * Float.BYTES);
    writer.put(plan.queryJointNumbers() == 0 ? 0 : totals);
    writer.put(plan.keyJointNumbers() == 0 ? 0 : totals + plan.queryJointNumbers() * Float.BYTES);
    writer.putStrides(problem.q());
    writer.putStrides(problem.k());
    writer.putStrides(problem.v());
    writer.putStrides(problem.logG());
    writer.putStrides(problem.dY());
    writer.putStrides(problem.dQ());
    writer.putStrides(problem.dK());
    writer.putStrides(problem.dV());
    writer.putStrides(problem.dLogG());
    writer.put(problem.tokens());
    writer.put(problem.queryHeads());
    writer.put(problem.keyHeads());
    writer.put(plan.chunk());
    writer.put(plan.chunksPerSegment());
    writer.put(plan.segments());
    writer.put(plan.allTokens());
    writer.put(plan.allChunks());
    writer.put(0L);
    writer.put(plan.jointNumbers());
    writer.put(plan.jointParts());
    writer.put(normalized ? 1.0 : Math.pow(problem.scale(), problem.spec().degree()));
  }

  private void putWorkspace(long bytes) {
    writer.put(bytes == 0 ? 0 : workspace + used);
    used += ForwardPlan.align(bytes);
  }
}
