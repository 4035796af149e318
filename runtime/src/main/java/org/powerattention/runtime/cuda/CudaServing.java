package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ServingTiling;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.WindowView;

/** Launches the kernels of {@code power_attention_serving.cu} of one program. */
final class CudaServing {
  private static final int COPY_THREADS = 256; // kCopyThreads of joined_tokens.cuh
  private static final int COPY_ELEMENTS = 4; // of one of them: struct Quad of elements.cuh

  private final KernelSpec spec;
  private final ServingTiling tiling;
  private final CudaBackend backend;
  private final CudaForward forward;
  private final DecodeKernel decodeRows1;
  private final DecodeKernel decodeRows4;
  private final DecodeKernel decodeRows8;
  private final CudaKernel foldWindow;
  private final CudaKernel windowJoin;
  private final CudaKernel windowStore;

  /**
   * Finds the kernels.
   *
   * @param forward the program's forward pass, which does a prefill call's arithmetic
   */
  CudaServing(
      KernelSpec spec,
      ServingTiling tiling,
      CudaModule module,
      CudaBackend backend,
      CudaForward forward) {
    this.spec = spec;
    this.tiling = tiling;
    this.backend = backend;
    this.forward = forward;
    this.decodeRows1 = decodeKernel(module, "decode_rows_1");
    this.decodeRows4 = decodeKernel(module, "decode_rows_4");
    this.decodeRows8 = decodeKernel(module, "decode_rows_8");
    this.foldWindow = module.kernel("fold_window", tiling.decodeSharedBytes());
    this.windowJoin = module.kernel("window_join", 0);
    this.windowStore = module.kernel("window_store", 0);
  }

  /**
   * A kernel of a decode call.
   *
   * @param places its blocks that the device holds at a time
   */
  private record DecodeKernel(CudaKernel kernel, long places) {}

  private DecodeKernel decodeKernel(CudaModule module, String name) {
    CudaKernel kernel = module.kernel(name, tiling.decodeSharedBytes());
    long blocks =
        kernel.blocksPerMultiprocessor(tiling.decodeThreads(), tiling.decodeSharedBytes());
    return new DecodeKernel(kernel, blocks * backend.device().multiprocessors());
  }

  private DecodePlan plan(int batch, int queryHeads, int keyHeads) {
    long places = decodeRows(queryHeads / keyHeads).places;
    return DecodePlan.of(spec, tiling, batch, queryHeads, keyHeads, places);
  }

  /** Returns the bytes of workspace of a decode call. */
  long decodeWorkspaceBytes(int batch, int queryHeads, int keyHeads) {
    return plan(batch, queryHeads, keyHeads).workspaceBytes();
  }

  /** Enqueues a decode call on its stream. */
  void decode(DecodeProblem problem) {
    decode(problem, problem.stream());
  }

  /** Records a decode call as a graph. */
  CapturedCall captureDecode(DecodeProblem problem) {
    return CudaGraph.record(backend, "a decode step", stream -> decode(problem, stream));
  }

  private void decode(DecodeProblem problem, long stream) {
    DecodePlan plan = plan(problem.batch(), problem.queryHeads(), problem.keyHeads());
    ByteBuffer arguments = ServingArguments.of(problem, plan);
    walk(
        decodeRows(problem.queryHeads() / problem.keyHeads()).kernel,
        plan,
        (long) problem.batch() * problem.keyHeads(),
        stream,
        arguments);
  }

  /** Returns the kernel for the query heads of a key/value head; the last takes 8 at a time. */
  private DecodeKernel decodeRows(int group) {
    if (group == 1) {
      return decodeRows1;
    }
    return group <= 4 ? decodeRows4 : decodeRows8;
  }

  private void walk(
      CudaKernel kernel, DecodePlan plan, long heads, long stream, ByteBuffer arguments) {
    kernel.launch(
        plan.splits() * heads,
        1,
        1,
        tiling.decodeThreads(),
        tiling.decodeSharedBytes(),
        stream,
        arguments);
  }

  /** Enqueues the fold of all tokens in the windows of a state. */
  void foldWindow(StateView state, int batch, int keyHeads, long stream) {
    DecodePlan plan = plan(batch, keyHeads, keyHeads);
    walk(
        foldWindow,
        plan,
        (long) batch * keyHeads,
        stream,
        ServingArguments.of(state, batch, keyHeads, plan));
    Memory spans = ServingArguments.window(state).spans();
    backend
        .context()
        .check(
            backend
                .calls()
                .cuMemsetD8Async(
                    Handles.pointer(spans.address()),
                    (byte) 0,
                    spans.bytes(),
                    Handles.stream(stream)),
            "cuMemsetD8Async",
            backend.name());
  }

  /**
   * Enqueues a prefill call on its stream. The forward pass runs over the latest half window and
   * the new tokens, so that no output rests on sums that end just before it; and its final state
   * leaves out the latest half window, which become the window.
   */
  void prefill(PrefillProblem problem) {
    WindowView window = ServingArguments.window(problem.state());
    int held = window.capacity() / 2;
    int tokens = Math.addExact(held, problem.tokens());
    JoinedTokens joined = JoinedTokens.of(spec, problem.batch(), tokens, problem.keyHeads());
    long heads = (long) problem.batch() * problem.keyHeads();
    long stream = problem.stream();
    try (Memory workspace =
        backend.allocateAsync(joined.workspaceBytes(), stream, () -> WorkspaceParts.of(joined))) {
      DecodePlan plan = plan(problem.batch(), problem.keyHeads(), problem.keyHeads());
      ByteBuffer arguments = ServingArguments.of(problem, plan, held, joined, workspace);
      walk(foldWindow, plan, heads, stream, arguments);
      copy(windowJoin, heads * tokens, stream, arguments);
      forward.launch(joinedProblem(problem, joined, workspace), held, held);
      copy(windowStore, heads * held, stream, arguments);
    }
  }

  private void copy(CudaKernel kernel, long rows, long stream, ByteBuffer arguments) {
    long threads = rows * spec.headDim() / COPY_ELEMENTS;
    kernel.launch(
        ForwardPlan.divideUp(threads, COPY_THREADS), 1, 1, COPY_THREADS, 0, stream, arguments);
  }

  private static ForwardProblem joinedProblem(
      PrefillProblem problem, JoinedTokens joined, Memory workspace) {
    StateView sums = new StateView(problem.state().sums(), problem.state().keySums(), null);
    return new ForwardProblem(
        problem.spec(),
        problem.batch(),
        joined.tokens(),
        problem.queryHeads(),
        problem.keyHeads(),
        problem.scale(),
        problem.chunked(),
        problem.q(),
        joined.keys(workspace),
        joined.values(workspace),
        joined.logGates(workspace),
        problem.y(),
        sums,
        sums,
        null,
        null,
        problem.stream());
  }
}
