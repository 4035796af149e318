package org.powerattention.runtime;

public final class PowerAttentionOperator implements AutoCloseable {
  public static PowerAttentionOperator load(Accelerator accelerator, KernelProgram program) {
    throw new UnsupportedOperationException();
  }

  public Tensor forward(Tensor q, Tensor k, Tensor v, Tensor logG, ForwardOptions options) {
    throw new UnsupportedOperationException();
  }

  public void forwardInto(
      Tensor y, Tensor q, Tensor k, Tensor v, Tensor logG, ForwardOptions options) {
    throw new UnsupportedOperationException();
  }

  public void forward(
      long q,
      long k,
      long v,
      long logG,
      long y,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      ForwardOptions options) {
    throw new UnsupportedOperationException();
  }

  public State newState(int batch, int keyHeads) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
