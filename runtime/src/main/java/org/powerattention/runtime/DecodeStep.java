package org.powerattention.runtime;

import java.lang.ref.Reference;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.CapturedCall;

/**
 * A decode call that was recorded by {@link PowerAttentionOperator#captureDecode}: each launch
 * reads one token of each sequence from the tensors that it was recorded with, writes the output,
 * and lets the state take the token in. Launching allocates nothing, neither on the Java heap nor
 * on the device.
 *
 * <p>The tensors, the state and the operator have to stay open as long as it is launched. Between
 * launches the state may be used in every other way.
 */
public final class DecodeStep implements AutoCloseable {
  private final PowerAttentionOperator operator;
  private final Tensor y;
  private final State state;
  private final Inputs inputs;
  private final @Nullable Stream stream;
  private final CapturedCall call;
  private final Lifetime lifetime;

  DecodeStep(
      PowerAttentionOperator operator,
      Tensor y,
      State state,
      Inputs inputs,
      @Nullable Stream stream,
      CapturedCall call) {
    this.operator = operator;
    this.y = y;
    this.state = state;
    this.inputs = inputs;
    this.stream = stream;
    this.call = call;
    this.lifetime = operator.accelerator().hold(this, "decode step", true, call::close);
  }

  /**
   * Carries the call out on the stream of the options that it was recorded with.
   *
   * @throws IllegalStateException if it, the operator, the state or a tensor is closed
   * @throws DeviceException if the device fails
   */
  public void launch() {
    launchOn(stream == null ? 0 : stream.handle());
  }

  /**
   * Carries the call out on a stream.
   *
   * @throws IllegalArgumentException if the stream belongs to another accelerator
   * @throws IllegalStateException if it, the operator, the state or a tensor is closed
   * @throws DeviceException if the device fails
   */
  public void launch(Stream other) {
    if (other.accelerator() != operator.accelerator()) {
      throw new IllegalArgumentException(
          "stream belongs to another accelerator ("
              + other.accelerator().name()
              + ") than the operator ("
              + operator.accelerator().name()
              + "); make it with the operator's accelerator()");
    }
    launchOn(other.handle());
  }

  private void launchOn(long handle) {
    lifetime.checkOpen();
    operator.checkOpen();
    state.checkOpen();
    y.checkOpen();
    inputs.q().checkOpen();
    inputs.k().checkOpen();
    inputs.v().checkOpen();
    Tensor logG = inputs.logG();
    if (logG != null) {
      logG.checkOpen();
    }
    try {
      state.markWindow();
      call.launch(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** Frees the recording. */
  @Override
  public void close() {
    lifetime.close();
  }
}
