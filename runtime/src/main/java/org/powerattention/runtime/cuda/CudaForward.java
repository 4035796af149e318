package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.spi.CallShape;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PackedView;

/**
 * Launches the forward kernels of one program, in the order that {@code power_attention.cu} gives.
 */
final class CudaForward {
  private static final int GATE_THREADS = 256; // kGateThreads of gate_sum.cuh
  private static final int JOIN_THREADS = 256; // kJoinThreads of join_decays.cuh
  private static final int WORD_BYTES = 16;

  /** Most segments of a sequence that are tried. */
  private static final long MOST_TRIED = 16;

  private final KernelSpec spec;
  private final ForwardTiling tiling;
  private final CudaBackend backend;
  private final Map<CallShape, Long> chosenSegments = new ConcurrentHashMap<>();
  private final @Nullable CudaKernel gateSum;
  private final CudaKernel statePass;
  private final CudaKernel joinSegments;
  private final CudaKernel jointRows;
  private final CudaKernel jointSums;
  private final CudaKernel jointTokens;
  private final CudaKernel outputPass;
  private final CudaKernel attention;

  CudaForward(KernelSpec spec, ForwardTiling tiling, CudaModule module, CudaBackend backend) {
    this.spec = spec;
    this.tiling = tiling;
    this.backend = backend;
    this.gateSum = spec.gated() ? module.kernel("gate_sum", 0) : null;
    this.statePass = module.kernel("state_pass", tiling.stateSharedBytes());
    this.joinSegments = module.kernel("join_segments", 0);
    this.jointRows = module.kernel("joint_rows", 0);
    this.jointSums = module.kernel("joint_sums", 0);
    this.jointTokens = module.kernel("joint_tokens", 0);
    this.outputPass = module.kernel("output_pass", tiling.outputSharedBytes());
    this.attention = module.kernel("attention", tiling.outputSharedBytes());
  }

  /** Returns numbers of chunks to a segment that a call of a shape can be walked with. */
  List<Long> segments(CallShape shape) {
    Chunks cut = Chunks.of(spec, true, shape.batch(), shape.tokens(), null);
    return LongStream.rangeClosed(1, Math.min(cut.count(), MOST_TRIED))
        .map(count -> ForwardPlan.divideUp(cut.count(), count))
        .distinct()
        .boxed()
        .toList();
  }

  /** Walks calls of a shape so many chunks to a segment; 0 leaves it to the cost model. */
  void choose(CallShape shape, long chunksPerSegment) {
    chosenSegments.put(shape, chunksPerSegment);
  }

  /** Returns how many chunks a segment of a call is to have, or 0. */
  long chosenSegment(CallShape shape, boolean chunked, @Nullable PackedView packed) {
    boolean none = !chunked || packed != null || chosenSegments.isEmpty();
    return none ? 0 : chosenSegments.getOrDefault(shape, 0L);
  }

  /** Returns the features of one thread block of the state pass. */
  int stateFeatures() {
    return tiling.stateFeatures();
  }

  /** Returns where the states lie that a call of these sizes keeps. */
  KeptStates keptStates(CallShape shape, boolean chunked, @Nullable PackedView packed) {
    return KeptStates.of(spec, tiling, shape, chunked, packed);
  }

  /** Enqueues a call on its stream. The workspace is freed there when the call is done. */
  void launch(ForwardProblem problem) {
    launch(problem, 0, Joints.TOKENS, true);
  }

  /**
   * Enqueues a call with margins, as {@link #launch(ForwardProblem)} does. Its tokens are those of
   * k and v; they may not be packed.
   *
   * @param queryStart token of k and v at which q and y begin: outputs before it are not computed;
   *     keys before it are zeros, or tokens if the first is one
   * @param heldBack tokens at the end that the final state leaves out, up to 64
   */
  void launch(ForwardProblem problem, int queryStart, int heldBack) {
    launch(problem, queryStart, heldBack, false);
  }

  private void launch(ForwardProblem problem, int queryStart, int heldBack, boolean takesHeldBack) {
    long chosen = chosenSegment(problem.shape(), problem.chunked(), problem.packed());
    ForwardPlan plan = ForwardPlan.of(problem, tiling, backend.device().multiprocessors(), chosen);
    KeptStates kept = keptStates(problem.shape(), problem.chunked(), problem.packed());
    boolean endsInJoint = takesHeldBack && problem.finalState() != null;
    if (plan.workspaceBytes() == 0) {
      ByteBuffer arguments = ForwardArguments.of(problem, plan, kept, queryStart, heldBack, null);
      launch(problem, plan, endsInJoint, arguments);
      return;
    }
    try (Memory workspace =
        backend.allocateAsync(
            plan.workspaceBytes(), problem.stream(), () -> WorkspaceParts.of(plan))) {
      ByteBuffer arguments =
          ForwardArguments.of(problem, plan, kept, queryStart, heldBack, workspace);
      launch(problem, plan, endsInJoint, arguments);
    }
  }

  private void launch(
      ForwardProblem problem, ForwardPlan plan, boolean endsInJoint, ByteBuffer arguments) {
    long stream = problem.stream();
    long heads = (long) problem.batch() * problem.keyHeads();
    if (gateSum != null) {
      gateSum.launch(plan.chunks(), heads, 1, GATE_THREADS, 0, stream, arguments);
    }
    // Before the state pass, which may write the final state in the initial one's place.
    if (plan.outputs() && plan.jointNumbers() > 0) {
      long queryHeads = (long) problem.batch() * problem.queryHeads();
      int threads = Joints.threads(spec);
      jointRows.launch(plan.jointParts(), queryHeads, 1, threads, 0, stream, arguments);
      long blocks = ForwardPlan.divideUp(plan.jointNumbers(), Joints.SUM_THREADS);
      jointSums.launch(blocks, 1, 1, Joints.SUM_THREADS, 0, stream, arguments);
    }
    if (plan.statePass()) {
      boolean keepsStates = problem.saved() != null && problem.saved().states() != null;
      walk(plan, heads, keepsStates, stream, arguments);
      if (endsInJoint) {
        long parts = Joints.parts(spec, heads);
        jointTokens.launch(parts, heads, 1, Joints.threads(spec), 0, stream, arguments);
      }
    }
    if (!plan.outputs()) {
      return;
    }
    long rowTiles = plan.chunks() * ForwardPlan.divideUp(plan.chunk(), tiling.outputRows());
    (plan.readsState() ? outputPass : attention)
        .launch(
            rowTiles,
            (long) problem.batch() * problem.queryHeads(),
            1,
            tiling.outputThreads(),
            tiling.outputSharedBytes(),
            stream,
            arguments);
  }

  /** Computes the states: segments of a sequence at the same time, and what precedes each. */
  private void walk(
      ForwardPlan plan, long heads, boolean keepsStates, long stream, ByteBuffer arguments) {
    statePass.launch(
        ForwardPlan.divideUp(spec.featureDim(), tiling.stateFeatures()),
        plan.segments(),
        heads,
        tiling.stateThreads(),
        tiling.stateSharedBytes(),
        stream,
        arguments);
    if (plan.segments() > 1) {
      long bytes = tiling.snapshotBytes() + (keepsStates ? KeptStates.keySumBytes(spec) : 0);
      long blocks = ForwardPlan.divideUp(bytes / WORD_BYTES, JOIN_THREADS);
      joinSegments.launch(blocks, plan.segments(), heads, JOIN_THREADS, 0, stream, arguments);
    }
  }
}
