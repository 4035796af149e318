package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Tiling;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;

/**
 * Launches the forward kernels of one program, in the order that {@code power_attention.cu} gives.
 */
final class CudaForward {
  private static final int GATE_THREADS = 256; // kGateThreads of gate_sum.cuh
  private static final int SCAN_THREADS = 256; // kScanThreads of carry_scan.cuh

  private final KernelSpec spec;
  private final Tiling tiling;
  private final CudaBackend backend;
  private final @Nullable CudaKernel gateSum;
  private final CudaKernel statePass;
  private final CudaKernel carryScan;
  private final CudaKernel outputPass;
  private final CudaKernel attention;

  CudaForward(KernelSpec spec, Tiling tiling, CudaModule module, CudaBackend backend) {
    this.spec = spec;
    this.tiling = tiling;
    this.backend = backend;
    this.gateSum = spec.gated() ? module.kernel("gate_sum", 0) : null;
    this.statePass = module.kernel("state_pass", tiling.stateSharedBytes());
    this.carryScan = module.kernel("carry_scan", 0);
    this.outputPass = module.kernel("output_pass", tiling.outputSharedBytes());
    this.attention = module.kernel("attention", tiling.outputSharedBytes());
  }

  /** Enqueues a call on its stream. The workspace is freed there when the call is done. */
  void launch(ForwardProblem problem) {
    ForwardPlan plan = ForwardPlan.of(problem, tiling, backend.device().multiprocessors());
    if (plan.workspaceBytes() == 0) {
      launch(problem, plan, null);
      return;
    }
    try (Memory workspace = backend.allocateAsync(plan.workspaceBytes(), problem.stream())) {
      launch(problem, plan, workspace);
    }
  }

  // The forward kernels' branch replaces this with one that has margins.
  void launch(ForwardProblem problem, int queryStart, int heldBack) {
    if (queryStart != 0 || heldBack != 0) {
      throw new UnsupportedOperationException("margins " + queryStart + " and " + heldBack);
    }
    launch(problem);
  }

  private void launch(ForwardProblem problem, ForwardPlan plan, @Nullable Memory workspace) {
    long stream = problem.stream();
    long heads = (long) problem.batch() * problem.keyHeads();
    ByteBuffer arguments = ForwardArguments.of(problem, plan, workspace);
    if (gateSum != null) {
      gateSum.launch(plan.chunks(), heads, 1, GATE_THREADS, 0, stream, arguments);
    }
    if (plan.statePass()) {
      if (plan.segments() > 1) {
        ForwardArguments.segmentTotals(arguments, true);
        statePass(plan.segments() - 1, heads, stream, arguments);
        ForwardArguments.segmentTotals(arguments, false);
        long numbers = spec.stateBytes() / Float.BYTES;
        carryScan.launch(
            ForwardPlan.divideUp(numbers, SCAN_THREADS),
            heads,
            1,
            SCAN_THREADS,
            0,
            stream,
            arguments);
      }
      statePass(plan.segments(), heads, stream, arguments);
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

  private void statePass(long segments, long heads, long stream, ByteBuffer arguments) {
    statePass.launch(
        ForwardPlan.divideUp(spec.featureDim(), tiling.stateFeatures()),
        segments,
        heads,
        tiling.stateThreads(),
        tiling.stateSharedBytes(),
        stream,
        arguments);
  }
}
