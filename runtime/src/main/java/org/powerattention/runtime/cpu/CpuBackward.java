package org.powerattention.runtime.cpu;

import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.BackwardProblem;

/**
 * The backward pass of one spec on the CPU. Arithmetic is fp32, cumulative gates and the sums that
 * become their gradients are fp64; a result does not depend on the number of threads.
 */
final class CpuBackward {
  /** FLOPs of a backward call over those of the forward call. */
  private static final double FORWARD_CALLS = 3;

  private final KernelSpec spec;
  private final FeatureRows features;
  private final ConcurrentLinkedQueue<BackwardWorkspace> workspaces = new ConcurrentLinkedQueue<>();

  CpuBackward(KernelSpec spec, FeatureRows features) {
    this.spec = spec;
    this.features = features;
  }

  /** Carries out a call. */
  void run(BackwardProblem problem) {
    boolean hasState = problem.initialState() != null || problem.dFinalState() != null;
    Span.forEach(
        Span.of(problem.batch(), problem.tokens(), problem.packed()),
        span ->
            FORWARD_CALLS
                * Inputs.flops(
                    spec, features, span, problem.queryHeads(), problem.chunked(), hasState),
        (span, threads) -> run(problem, span, threads));
  }

  private void run(BackwardProblem problem, Span span, int threads) {
    BackwardCall call = new BackwardCall(problem, new Inputs(problem, span, features));
    new HeadSchedule<>(
            threads,
            2 * call.inputs.chunks,
            features.rows,
            () -> new BackwardWalk(call),
            this::borrow,
            workspaces::add)
        .run(span.firstSequence() * problem.keyHeads(), span.sequences() * problem.keyHeads());
  }

  private BackwardWorkspace borrow() {
    @Nullable BackwardWorkspace workspace = workspaces.poll();
    return workspace == null ? new BackwardWorkspace(spec.headDim(), features) : workspace;
  }

  /** Gives up the scratch arrays. */
  void release() {
    workspaces.clear();
  }
}
