package org.powerattention.runtime.cpu;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;

/** All calls of one spec on the CPU. */
final class CpuProgram implements LoadedProgram {
  private final KernelSpec spec;
  private final CpuForward forward;
  private final CpuBackward backward;
  private volatile boolean closed;

  CpuProgram(KernelSpec spec) {
    this.spec = spec;
    FeatureRows features = new FeatureRows(spec);
    this.forward = new CpuForward(spec, features);
    this.backward = new CpuBackward(spec, features);
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
  }
}
