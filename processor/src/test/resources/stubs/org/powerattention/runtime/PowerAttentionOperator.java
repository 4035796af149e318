package org.powerattention.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;

public final class PowerAttentionOperator implements AutoCloseable {
  public static PowerAttentionOperator load(Accelerator accelerator, KernelProgram program) {
    throw new UnsupportedOperationException();
  }

  public Tensor forward(
      Tensor q, Tensor k, Tensor v, Tensor logG, ForwardOptions options) {
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

  public SavedForward newSavedForward(int batch, int tokens, int queryHeads) {
    throw new UnsupportedOperationException();
  }

  public Gradients newGradients(Tensor q, Tensor k, BackwardOptions options) {
    throw new UnsupportedOperationException();
  }

  public Gradients backward(
      Tensor q, Tensor k, Tensor v, Tensor logG, Tensor dY, BackwardOptions options) {
    throw new UnsupportedOperationException();
  }

  public void backwardInto(
      Gradients gradients,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor logG,
      Tensor dY,
      BackwardOptions options) {
    throw new UnsupportedOperationException();
  }

  public void backward(
      long q,
      long k,
      long v,
      long logG,
      long dY,
      long dQ,
      long dK,
      long dV,
      long dLogG,
      State dInitialState,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      BackwardOptions options) {
    throw new UnsupportedOperationException();
  }

  public State newState(int batch, int keyHeads) {
    throw new UnsupportedOperationException();
  }

  public State loadState(InputStream source) throws IOException {
    throw new UnsupportedOperationException();
  }

  public State loadState(Path file) throws IOException {
    throw new UnsupportedOperationException();
  }

  public Tensor prefill(
      State state, Tensor q, Tensor k, Tensor v, Tensor logG, ServeOptions options) {
    throw new UnsupportedOperationException();
  }

  public void prefillInto(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor logG,
      ServeOptions options) {
    throw new UnsupportedOperationException();
  }

  public void prefill(
      State state,
      long q,
      long k,
      long v,
      long logG,
      long y,
      int tokens,
      int queryHeads,
      ServeOptions options) {
    throw new UnsupportedOperationException();
  }

  public Tensor decode(
      State state, Tensor q, Tensor k, Tensor v, Tensor logG, ServeOptions options) {
    throw new UnsupportedOperationException();
  }

  public void decodeInto(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor logG,
      ServeOptions options) {
    throw new UnsupportedOperationException();
  }

  public void decode(
      State state,
      long q,
      long k,
      long v,
      long logG,
      long y,
      int queryHeads,
      ServeOptions options) {
    throw new UnsupportedOperationException();
  }

  public DecodeStep captureDecode(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor logG,
      ServeOptions options) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
