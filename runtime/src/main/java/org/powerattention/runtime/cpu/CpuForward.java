package org.powerattention.runtime.cpu;

import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;

/**
 * The forward pass of one spec on the CPU. Arithmetic is fp32, cumulative gates are fp64; a result
 * does not depend on the number of threads.
 */
final class CpuForward {
  private final KernelSpec spec;
  private final FeatureRows features;
  private final ConcurrentLinkedQueue<Workspace> workspaces = new ConcurrentLinkedQueue<>();

  CpuForward(KernelSpec spec, FeatureRows features) {
    this.spec = spec;
    this.features = features;
  }

  /** Carries out a call. */
  void run(ForwardProblem problem) {
    run(problem, null);
  }

  /**
   * Carries out a call that continues a window, if there is one; the final state leaves out the
   * latest tokens, half as many as the window has slots.
   */
  void run(ForwardProblem problem, @Nullable WindowRing earlier) {
    boolean hasState = problem.initialState() != null || problem.finalState() != null;
    Span.forEach(
        Span.of(problem.batch(), problem.tokens(), problem.packed()),
        span ->
            Inputs.flops(spec, features, span, problem.queryHeads(), problem.chunked(), hasState),
        (span, threads) -> run(problem, earlier, span, threads));
  }

  private void run(ForwardProblem problem, @Nullable WindowRing earlier, Span span, int threads) {
    ForwardCall call = new ForwardCall(problem, new Inputs(problem, span, features, earlier));
    new HeadSchedule<>(
            threads,
            call.inputs.chunks,
            features.rows,
            () -> new ForwardWalk(call),
            this::borrow,
            workspaces::add)
        .run(span.firstSequence() * problem.keyHeads(), span.sequences() * problem.keyHeads());
  }

  private Workspace borrow() {
    @Nullable Workspace workspace = workspaces.poll();
    return workspace == null ? new Workspace(spec.headDim(), features) : workspace;
  }

  /** Gives up the scratch arrays. */
  void release() {
    workspaces.clear();
  }
}
