package org.powerattention.runtime.cpu;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;

/** All calls of one spec on the CPU. */
final class CpuProgram implements LoadedProgram {
  private final KernelSpec spec;
  private final CpuForward forward;
  private volatile boolean closed;

  CpuProgram(KernelSpec spec) {
    this.spec = spec;
    this.forward = new CpuForward(spec, new FeatureRows(spec));
  }

  @Override
  public void forward(ForwardProblem problem) {
    check(problem.spec());
    forward.run(problem);
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
  }
}
