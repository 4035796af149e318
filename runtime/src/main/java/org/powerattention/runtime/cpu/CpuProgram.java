package org.powerattention.runtime.cpu;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;

/** All calls of one spec on the CPU. */
final class CpuProgram implements LoadedProgram {
  private final KernelSpec spec;
  private final CpuForward forward;
  private final CpuBackward backward;
  private final CpuServing serving;
  private volatile boolean closed;

  CpuProgram(KernelSpec spec) {
    this.spec = spec;
    FeatureRows features = new FeatureRows(spec);
    this.forward = new CpuForward(spec, features);
    this.backward = new CpuBackward(spec, features);
    this.serving = new CpuServing(spec, forward);
  }

  @Override
  public void forward(ForwardProblem problem) {
    check(problem.spec());
    forward.run(problem);
  }

  @Override
  public void backward(BackwardProblem problem) {
    check(problem.spec());
    backward.run(problem);
  }

  @Override
  public void prefill(PrefillProblem problem) {
    check(problem.spec());
    serving.prefill(problem);
  }

  @Override
  public void foldWindow(StateView state, int batch, int keyHeads, long stream) {
    check(spec);
    serving.foldWindow(state, batch * keyHeads);
  }

  /** Returns 0: scratch arrays belong to the program. */
  @Override
  public long decodeWorkspaceBytes(int batch, int queryHeads, int keyHeads) {
    return 0;
  }

  @Override
  public void decode(DecodeProblem problem) {
    check(problem.spec());
    serving.decode(problem);
  }

  @Override
  public CapturedCall captureDecode(DecodeProblem problem) {
    check(problem.spec());
    return serving.capture(problem);
  }

  private void check(KernelSpec called) {
    if (closed) {
      throw new IllegalStateException("this operator is closed");
    }
    if (!called.equals(spec)) {
      throw new IllegalArgumentException("a call for " + called + " on a program for " + spec);
    }
  }

  @Override
  public void close() {
    closed = true;
    forward.release();
    backward.release();
    serving.release();
  }
}
