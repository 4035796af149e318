package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.BackwardTiling;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.SavedView;

/**
 * Launches the backward kernels of one program, in the order that {@code
 * power_attention_backward.cu} gives. What these read of the forward pass, and it did not keep, is
 * computed again by its kernels first.
 */
final class CudaBackward {
  private static final int GATE_THREADS = 256; // kGateThreads of gate_sum.cuh
  private static final int ROW_TERM_THREADS = 256; // kRowTermThreads of row_terms.cuh
  private static final int ROW_TERM_TOKENS = 64; // kRowTermTokens of row_terms.cuh
  private static final int JOIN_THREADS = 256; // kJoinThreads of join_decays.cuh
  private static final int GATE_GRADIENT_THREADS = 256; // of gate_gradients.cuh

  private static final String RECOMPUTED =
      "what a backward call computes again of the forward call (a SavedForward keeps it)";

  private final KernelSpec spec;
  private final BackwardTiling tiling;
  private final CudaBackend backend;
  private final @Nullable CudaKernel gateSum;
  private final @Nullable CudaKernel rowTerms;
  private final CudaKernel stateGradientWalk;
  private final CudaKernel joinGradients;
  private final CudaKernel jointGradient;
  private final CudaKernel jointQueries;
  private final CudaKernel jointKeys;
  private final CudaKernel jointValues;
  private final CudaKernel jointSums;
  private final CudaKernel queryGradients;
  private final CudaKernel keyGradients;
  private final @Nullable CudaKernel valueGradients;
  private final @Nullable CudaKernel gateTotals;
  private final @Nullable CudaKernel gateGradients;

  CudaBackward(KernelSpec spec, BackwardTiling tiling, CudaModule module, CudaBackend backend) {
    this.spec = spec;
    this.tiling = tiling;
    this.backend = backend;
    this.gateSum = spec.gated() ? module.kernel("gate_sum", 0) : null;
    this.rowTerms = spec.normalized() ? module.kernel("row_terms", 0) : null;
    this.joinGradients = module.kernel("join_gradients", 0);
    this.stateGradientWalk = module.kernel("state_gradient_walk", tiling.stateSharedBytes());
    this.jointGradient = module.kernel("joint_gradient", 0);
    this.jointQueries = module.kernel("joint_queries", 0);
    this.jointKeys = module.kernel("joint_keys", 0);
    this.jointValues = module.kernel("joint_values", 0);
    this.jointSums = module.kernel("joint_sums", 0);
    this.queryGradients = module.kernel("query_gradients", tiling.querySharedBytes());
    this.keyGradients = module.kernel("key_gradients", tiling.keySharedBytes());
    this.valueGradients =
        tiling.byWarpgroups() ? module.kernel("value_gradients", tiling.keySharedBytes()) : null;
    this.gateTotals = spec.gated() ? module.kernel("gate_totals", 0) : null;
    this.gateGradients = spec.gated() ? module.kernel("gate_gradients", 0) : null;
  }

  /**
   * Enqueues a call on its stream. The workspace is freed there when the call is done.
   *
   * @param forward the forward kernels of the same program
   */
  void launch(BackwardProblem problem, CudaForward forward) {
    // Segments that were measured of the forward pass suit this one's walk if it has as many
    // blocks.
    long chosen =
        tiling.stateFeatures() == forward.stateFeatures()
            ? forward.chosenSegment(problem.shape(), problem.chunked(), problem.packed())
            : 0;
    GradientPlan plan =
        GradientPlan.of(problem, tiling, backend.device().multiprocessors(), chosen);
    KeptStates kept = forward.keptStates(problem.shape(), problem.chunked(), problem.packed());
    SavedView saved = problem.saved() == null ? SavedView.NOTHING : problem.saved();
    boolean lacksOutputs = spec.normalized() && saved.outputs() == null;
    boolean lacksStates = plan.walks() && saved.states() == null;
    if (!lacksOutputs && !lacksStates) {
      launch(problem, plan, saved, kept);
      return;
    }
    long rows = rows(problem) * problem.queryHeads();
    try (Memory outputs = recomputed(lacksOutputs, rows * spec.headDim() * Float.BYTES, problem);
        Memory weightSums = recomputed(lacksOutputs, rows * Float.BYTES, problem);
        Memory states = recomputed(lacksStates, kept.bytes(), problem)) {
      forward.launch(recomputation(problem, new SavedView(outputs, weightSums, states)));
      SavedView complete =
          new SavedView(
              lacksOutputs ? outputs : saved.outputs(),
              lacksOutputs ? weightSums : saved.weightSums(),
              lacksStates ? states : saved.states());
      launch(problem, plan, complete, kept);
    }
  }

  private @Nullable Memory recomputed(boolean lacking, long bytes, BackwardProblem problem) {
    return lacking
        ? backend.allocateAsync(Math.max(Float.BYTES, bytes), problem.stream(), () -> RECOMPUTED)
        : null;
  }

  private static long rows(BackwardProblem problem) {
    return problem.packed() == null
        ? (long) problem.batch() * problem.tokens()
        : problem.packed().offsets()[problem.batch()];
  }

  private static ForwardProblem recomputation(BackwardProblem problem, SavedView saved) {
    return new ForwardProblem(
        problem.spec(),
        problem.batch(),
        problem.tokens(),
        problem.queryHeads(),
        problem.keyHeads(),
        problem.scale(),
        problem.chunked(),
        problem.q(),
        problem.k(),
        problem.v(),
        problem.logG(),
        null,
        problem.initialState(),
        null,
        saved,
        problem.packed(),
        problem.stream());
  }

  private void launch(
      BackwardProblem problem, GradientPlan plan, SavedView saved, KeptStates kept) {
    long bytes = GradientArguments.workspaceBytes(problem, plan, kept);
    if (bytes == 0) {
      launch(problem, plan, GradientArguments.of(problem, plan, saved, kept, 0));
      return;
    }
    try (Memory workspace =
        backend.allocateAsync(bytes, problem.stream(), () -> WorkspaceParts.of(plan, spec))) {
      launch(problem, plan, GradientArguments.of(problem, plan, saved, kept, workspace.address()));
    }
  }

  private void launch(BackwardProblem problem, GradientPlan plan, ByteBuffer arguments) {
    long stream = problem.stream();
    long heads = (long) problem.batch() * problem.keyHeads();
    long queryHeads = (long) problem.batch() * problem.queryHeads();
    if (gateSum != null) {
      gateSum.launch(plan.chunks(), heads, 1, GATE_THREADS, 0, stream, arguments);
    }
    if (rowTerms != null) {
      long blocks = ForwardPlan.divideUp(Math.max(1, problem.tokens()), ROW_TERM_TOKENS);
      rowTerms.launch(blocks, queryHeads, 1, ROW_TERM_THREADS, 0, stream, arguments);
    }
    if (plan.walks()) {
      walk(plan, heads, stream, arguments);
      if (plan.segments() > 1 || spec.gated() || problem.dInitialState() != null) {
        join(plan, heads, stream, arguments);
      }
    }
    joints(problem, plan, heads, queryHeads, arguments);
    queryGradients.launch(
        plan.chunks() * ForwardPlan.divideUp(plan.chunk(), tiling.queryRows()),
        queryHeads,
        1,
        tiling.queryThreads(),
        tiling.querySharedBytes(),
        stream,
        arguments);
    keys(keyGradients, plan, heads, stream, arguments);
    if (valueGradients != null) {
      keys(valueGradients, plan, heads, stream, arguments);
    }
    if (gateTotals != null && gateGradients != null) {
      gateTotals.launch(plan.chunks(), heads, 1, GATE_GRADIENT_THREADS, 0, stream, arguments);
      gateGradients.launch(plan.chunks(), heads, 1, GATE_GRADIENT_THREADS, 0, stream, arguments);
    }
  }

  /** Enqueues what meets a caller's states in fp32. */
  private void joints(
      BackwardProblem problem,
      GradientPlan plan,
      long heads,
      long queryHeads,
      ByteBuffer arguments) {
    long stream = problem.stream();
    long parts = plan.jointParts();
    long rowBlocks = Joints.TOKENS / Joints.CONTRACT_ROWS;
    int threads = Joints.threads(spec);
    if (problem.initialState() != null) {
      jointGradient.launch(Joints.parts(spec, heads), heads, 1, threads, 0, stream, arguments);
      jointQueries.launch(
          parts, rowBlocks, queryHeads, Joints.CONTRACT_THREADS, 0, stream, arguments);
    }
    if (problem.dFinalState() != null) {
      jointKeys.launch(parts, rowBlocks, heads, Joints.CONTRACT_THREADS, 0, stream, arguments);
      jointValues.launch(parts, heads, 1, threads, 0, stream, arguments);
    }
    if (plan.jointNumbers() > 0) {
      long blocks = ForwardPlan.divideUp(plan.jointNumbers(), Joints.SUM_THREADS);
      jointSums.launch(blocks, 1, 1, Joints.SUM_THREADS, 0, stream, arguments);
    }
  }

  private void walk(GradientPlan plan, long heads, long stream, ByteBuffer arguments) {
    stateGradientWalk.launch(
        plan.stateBlocks(),
        plan.segments(),
        heads,
        tiling.stateThreads(),
        tiling.stateSharedBytes(),
        stream,
        arguments);
  }

  private void keys(
      CudaKernel kernel, GradientPlan plan, long heads, long stream, ByteBuffer arguments) {
    // The last chunk's keys are those of its own and the overlap before it.
    kernel.launch(
        plan.chunks() * ForwardPlan.divideUp(plan.chunk(), tiling.keyRows()) + 1,
        heads,
        1,
        tiling.keyThreads(),
        tiling.keySharedBytes(),
        stream,
        arguments);
  }

  private void join(GradientPlan plan, long heads, long stream, ByteBuffer arguments) {
    joinGradients.launch(
        ForwardPlan.divideUp(plan.joinWords(), JOIN_THREADS),
        plan.segments(),
        heads,
        JOIN_THREADS,
        0,
        stream,
        arguments);
  }
}
