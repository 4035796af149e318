package org.powerattention.runtime.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;

/**
 * The forward pass of one spec on the CPU. Arithmetic is fp32, cumulative gates are fp64; a result
 * does not depend on the number of threads.
 *
 * <p>Heads are independent, so as many as fill all threads evenly are walked by one thread each.
 * The rest of them are walked together, chunk by chunk, each step split among all threads: first
 * the chunk's output by query rows, then its update of the state by features.
 */
final class CpuForward {
  /** FLOPs below which waking other threads costs more than it saves: some 50 microseconds. */
  static final double LEAST_PARALLEL_FLOPS = 2e6;

  /**
   * Parts of a state update per thread; several, so that a slow thread holds up the others less.
   */
  private static final int PARTS_PER_THREAD = 4;

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
  void run(ForwardProblem problem, @Nullable WindowRing window) {
    ForwardCall call = new ForwardCall(problem, features, window);
    int heads = problem.batch() * problem.keyHeads();
    int threads = flops(call) < LEAST_PARALLEL_FLOPS ? 1 : Parallel.available();
    int alone = heads - heads % threads;
    new Parallel<>(threads, () -> new Walker(new HeadWalk(call), borrow()), this::giveBack)
        .forEach(alone, (head, walker) -> walkAlone(call, head, walker));
    if (alone < heads) {
      walkTogether(call, alone, heads, threads);
    }
  }

  /** One thread's head and scratch arrays. */
  private record Walker(HeadWalk walk, Workspace work) {}

  private void walkAlone(ForwardCall call, int head, Walker walker) {
    HeadWalk walk = walker.walk();
    walk.begin(head);
    for (int token = 0; token < call.problem.tokens(); token += call.chunk) {
      walk.enter(token);
      for (int block = 0; block < walk.rowBlocks(); block++) {
        walk.output(block, walker.work());
      }
      if (walk.updates()) {
        walk.update(0, features.rows, walker.work());
        walk.leave();
      }
    }
    walk.end();
  }

  private void walkTogether(ForwardCall call, int from, int to, int threads) {
    Parallel<Workspace> parallel = new Parallel<>(threads, this::borrow, workspaces::add);
    List<HeadWalk> walks = new ArrayList<>();
    for (int head = from; head < to; head++) {
      walks.add(new HeadWalk(call));
    }
    int heads = walks.size();
    parallel.forEach(heads, (i, work) -> walks.get(i).begin(from + i));
    int parts = Math.min(features.rows, PARTS_PER_THREAD * ((threads + heads - 1) / heads));
    for (int token = 0; token < call.problem.tokens(); token += call.chunk) {
      int start = token;
      parallel.forEach(heads, (i, work) -> walks.get(i).enter(start));
      int blocks = walks.get(0).rowBlocks();
      parallel.forEach(heads * blocks, (i, work) -> walks.get(i % heads).output(i / heads, work));
      if (walks.get(0).updates()) {
        parallel.forEach(
            heads * parts, (i, work) -> updatePart(walks.get(i / parts), i % parts, parts, work));
        walks.forEach(HeadWalk::leave);
      }
    }
    parallel.forEach(heads, (i, work) -> walks.get(i).end());
  }

  private void updatePart(HeadWalk walk, int part, int parts, Workspace work) {
    walk.update(bound(part, parts), bound(part + 1, parts), work);
  }

  private int bound(int part, int parts) {
    return Math.toIntExact((long) features.rows * part / parts);
  }

  private double flops(ForwardCall call) {
    ForwardProblem problem = call.problem;
    double perToken = spec.attentionFlopsPerToken(call.chunk);
    if (call.chunk < problem.tokens()
        || problem.initialState() != null
        || problem.finalState() != null) {
      perToken += 4.0 * features.rows * features.lanes;
    }
    return perToken * problem.batch() * problem.tokens() * problem.queryHeads();
  }

  private Workspace borrow() {
    @Nullable Workspace workspace = workspaces.poll();
    return workspace == null ? new Workspace(spec.headDim(), features) : workspace;
  }

  private void giveBack(Walker walker) {
    workspaces.add(walker.work());
  }

  /** Gives up the scratch arrays. */
  void release() {
    workspaces.clear();
  }
}
