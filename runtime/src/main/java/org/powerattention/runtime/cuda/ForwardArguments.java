package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.SavedView;

/**
 * The parameter of every forward kernel: struct {@code Arguments} of {@code arguments.cuh}, field
 * by field. Each takes eight bytes.
 */
final class ForwardArguments {
  private static final ThreadLocal<ByteBuffer> BUFFERS = ArgumentWriter.buffers();

  private ForwardArguments() {}

  /**
   * Returns the arguments of a call, in a buffer of this thread's.
   *
   * @param queryStart token of k and v at which q and y begin
   * @param heldBack tokens at the end that the state pass leaves out of the final state
   * @param kept where kept states lie
   */
  static ByteBuffer of(
      ForwardProblem problem,
      ForwardPlan plan,
      KeptStates kept,
      int queryStart,
      int heldBack,
      @Nullable Memory workspace) {
    long work = workspace == null ? 0 : workspace.address();
    ArgumentWriter writer = new ArgumentWriter(BUFFERS);
    writer.put(problem.q());
    writer.put(problem.k());
    writer.put(problem.v());
    writer.put(problem.logG());
    writer.put(problem.y());
    writer.put(plan.gateSumBytes() == 0 ? 0 : work + plan.gateSumOffset());
    SavedView saved = problem.saved();
    Memory states = saved == null ? null : saved.states();
    boolean keySums = KeptStates.keySumBytes(problem.spec()) > 0;
    if (states != null) {
      writer.put(states);
      writer.put(keySums ? states.address() + kept.keySumsOffset() : 0);
    } else {
      writer.put(plan.snapshotBytes() == 0 ? 0 : work + plan.snapshotOffset());
      writer.put(0L);
    }
    writer.put(plan.segmentBytes() == 0 ? 0 : work + plan.segmentOffset());
    writer.put(problem.initialState());
    writer.put(problem.finalState());
    writer.put(problem.packed() == null ? null : problem.packed().table());
    writer.put(saved == null ? null : saved.outputs());
    writer.put(saved == null ? null : saved.weightSums());
    writer.put(plan.jointNumbers() == 0 ? 0 : work + plan.partialsOffset());
    writer.put(plan.jointNumbers() == 0 ? 0 : work + plan.totalsOffset());
    writer.putStrides(problem.q());
    writer.putStrides(problem.k());
    writer.putStrides(problem.v());
    writer.putStrides(problem.logG());
    writer.putStrides(problem.y());
    writer.put(problem.tokens());
    writer.put(plan.allTokens());
    writer.put(plan.allChunks());
    writer.put(queryStart);
    writer.put((long) heldBack);
    writer.put(problem.queryHeads());
    writer.put(problem.keyHeads());
    writer.put(plan.chunk());
    writer.put(plan.chunksPerSegment());
    writer.put(plan.segments());
    writer.put(plan.jointNumbers());
    writer.put(plan.jointParts());
    writer.put(Math.pow(problem.scale(), problem.spec().degree()));
    return writer.written();
  }
}
