package org.powerattention.runtime.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;

/**
 * Calls of one spec that move a state on. Arithmetic is fp32, cumulative gates are fp64; a result
 * does not depend on the number of threads.
 */
final class CpuServing {
  private final KernelSpec spec;
  private final CpuForward forward;
  private final FeatureRows features;
  private final ConcurrentLinkedQueue<ServingWorkspace> workspaces = new ConcurrentLinkedQueue<>();

  CpuServing(KernelSpec spec, CpuForward forward) {
    this.spec = spec;
    this.forward = forward;
    // Where the sums lie in memory, their rows have no column of ones.
    this.features =
        new FeatureRows(
            new KernelSpec(
                spec.degree(), spec.headDim(), spec.chunk(), spec.dtype(), spec.gated(), false));
  }

  /** Takes the tokens of the windows into the sums. */
  void foldWindow(StateView state, int heads) {
    foldTo(0, state, heads);
  }

  /** Takes all but the latest {@code kept} tokens of each window into the sums. */
  private void foldTo(int kept, StateView state, int heads) {
    WindowRing window = windowOf(state);
    StoredSums sums = new StoredSums(features, state);
    int[] counts = new int[heads];
    while (oldest(window, kept, counts)) {
      new Parallel<>(threads(heads), this::borrow, workspaces::add)
          .forEach(
              heads * sums.parts,
              (i, work) -> {
                int head = i / sums.parts;
                if (counts[head] > 0) {
                  float decay = window.readOldest(head, counts[head], work);
                  sums.fold(head, i % sums.parts, decay, counts[head], work);
                }
              });
      for (int head = 0; head < heads; head++) {
        window.removeOldest(head, counts[head]);
      }
    }
  }

  private WindowRing windowOf(StateView state) {
    return new WindowRing(Objects.requireNonNull(state.window()), spec.dtype(), spec.headDim());
  }

  /** Counts the oldest tokens that leave each window next; returns whether there are any. */
  private static boolean oldest(WindowRing window, int kept, int[] counts) {
    boolean any = false;
    for (int head = 0; head < counts.length; head++) {
      int surplus = Math.max(0, window.length(head) - kept);
      counts[head] = Math.min(surplus, ServingWorkspace.TOKENS);
      any |= surplus > 0;
    }
    return any;
  }

  /**
   * Carries out a prefill call: a forward call whose overlap before the first token is the window.
   */
  void prefill(PrefillProblem problem) {
    int heads = problem.batch() * problem.keyHeads();
    WindowRing window = windowOf(problem.state());
    int lag = window.capacity / 2;
    foldTo(lag, problem.state(), heads);
    StateView sums = new StateView(problem.state().sums(), problem.state().keySums(), null);
    forward.run(asForward(problem, sums), window);
    int joining = Math.min(lag, problem.tokens());
    NewTokens tokens =
        new NewTokens(problem.k(), problem.v(), problem.logG(), problem.keyHeads(), spec.headDim());
    new Parallel<>(1, this::borrow, workspaces::add)
        .forEach(
            heads,
            (head, work) -> {
              window.removeOldest(head, Math.max(0, window.length(head) + joining - lag));
              for (int token = problem.tokens() - joining; token < problem.tokens(); token++) {
                tokens.read(head, token, work);
                window.append(
                    head,
                    work.keys[0],
                    work.values[0],
                    tokens.logGate(head, token, work),
                    work.halves);
              }
            });
  }

  private static ForwardProblem asForward(PrefillProblem problem, StateView sums) {
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
        problem.y(),
        sums,
        sums,
        null,
        null,
        problem.stream());
  }

  /** Carries out a decode call. */
  void decode(DecodeProblem problem) {
    try (CapturedCall call = capture(problem)) {
      call.launch(problem.stream());
    }
  }

  /** Prepares a decode call. */
  CapturedCall capture(DecodeProblem problem) {
    List<ServingWorkspace> borrowed = new ArrayList<>();
    for (int i = 0; i < threads((long) problem.batch() * problem.queryHeads()); i++) {
      borrowed.add(borrow());
    }
    return new Prepared(new DecodeCall(problem, features, borrowed), borrowed);
  }

  /** A decode call that can be repeated, and the scratch arrays that it keeps. */
  private final class Prepared implements CapturedCall {
    private final DecodeCall call;
    private final List<ServingWorkspace> borrowed;

    Prepared(DecodeCall call, List<ServingWorkspace> borrowed) {
      this.call = call;
      this.borrowed = borrowed;
    }

    @Override
    public void launch(long stream) {
      call.run();
    }

    @Override
    public void close() {
      workspaces.addAll(borrowed);
      borrowed.clear();
    }
  }

  /** Returns how many threads are worth waking to meet the states of as many heads. */
  private int threads(long heads) {
    double window = 2.0 * ServingWorkspace.TOKENS * spec.headDim();
    double flops = 2.0 * (1.0 * features.rows * features.lanes + 2 * window) * heads;
    return flops < Span.LEAST_PARALLEL_FLOPS ? 1 : Parallel.available();
  }

  private ServingWorkspace borrow() {
    @Nullable ServingWorkspace workspace = workspaces.poll();
    return workspace == null ? new ServingWorkspace(spec.headDim(), features) : workspace;
  }

  /** Forgets the scratch arrays. */
  void release() {
    workspaces.clear();
  }
}
