package org.powerattention.runtime;

import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The gradients of a loss with respect to the inputs of a forward call, each of the shape of its
 * input.
 */
public final class Gradients implements AutoCloseable {
  private final Tensor dQ;
  private final Tensor dK;
  private final Tensor dV;
  private final @Nullable Tensor dLogG;
  private final @Nullable State dInitialState;

  private Gradients(
      Tensor dQ, Tensor dK, Tensor dV, @Nullable Tensor dLogG, @Nullable State dInitialState) {
    this.dQ = Objects.requireNonNull(dQ, "dQ");
    this.dK = Objects.requireNonNull(dK, "dK");
    this.dV = Objects.requireNonNull(dV, "dV");
    this.dLogG = dLogG;
    this.dInitialState = dInitialState;
  }

  /**
   * Returns gradients that are written to tensors of the caller's choice, for instance to views of
   * one fused tensor. {@link PowerAttentionOperator#backwardInto} checks them.
   *
   * @param dQ gradient of q, in the spec's dtype, last dimension contiguous
   * @param dK gradient of k, likewise
   * @param dV gradient of v, likewise
   * @param dLogG gradient of the log gates, fp32; null exactly if the spec is not gated
   * @param dInitialState gradient of the initial state; null exactly if there is none
   */
  public static Gradients of(
      Tensor dQ, Tensor dK, Tensor dV, @Nullable Tensor dLogG, @Nullable State dInitialState) {
    return new Gradients(dQ, dK, dV, dLogG, dInitialState);
  }

  /** Returns the gradient of q [b, t, hq, d], in the spec's dtype. */
  public Tensor dQ() {
    return dQ;
  }

  /** Returns the gradient of k [b, t, h, d], in the spec's dtype. */
  public Tensor dK() {
    return dK;
  }

  /** Returns the gradient of v [b, t, h, d], in the spec's dtype. */
  public Tensor dV() {
    return dV;
  }

  /** Returns the gradient of the log gates [b, t, h], fp32; empty if the spec is not gated. */
  public Optional<Tensor> dLogG() {
    return Optional.ofNullable(dLogG);
  }

  /** Returns the gradient of the initial state, in a state's layout; empty if the call had none. */
  public Optional<State> dInitialState() {
    return Optional.ofNullable(dInitialState);
  }

  /** Closes the tensors and the state. */
  @Override
  public void close() {
    dQ.close();
    dK.close();
    dV.close();
    if (dLogG != null) {
      dLogG.close();
    }
    if (dInitialState != null) {
      dInitialState.close();
    }
  }
}
