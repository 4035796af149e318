package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;

/**
 * Options of a forward call. An immutable value: each method returns a changed copy.
 *
 * <pre>{@code
 * attention.forward(q, k, v, logG, ForwardOptions.defaults().form(Form.CHUNKED).finalState(memory));
 * }</pre>
 */
public final class ForwardOptions {
  private static final ForwardOptions DEFAULTS =
      new ForwardOptions(Form.AUTOMATIC, Double.NaN, null, null, null);

  private final Form form;
  private final double scale;
  private final @Nullable State initialState;
  private final @Nullable State finalState;
  private final @Nullable Stream stream;

  private ForwardOptions(
      Form form,
      double scale,
      @Nullable State initialState,
      @Nullable State finalState,
      @Nullable Stream stream) {
    this.form = form;
    this.scale = scale;
    this.initialState = initialState;
    this.finalState = finalState;
    this.stream = stream;
  }

  /** Returns the defaults: form by length, scale 1/sqrt(d), no states, the default stream. */
  public static ForwardOptions defaults() {
    return DEFAULTS;
  }

  /** Asks for a form instead of leaving the choice to the cost model. */
  public ForwardOptions form(Form newForm) {
    return new ForwardOptions(newForm, scale, initialState, finalState, stream);
  }

  /**
   * Sets the factor of {@code <q, k>}. It cancels out of a normalised result.
   *
   * @throws IllegalArgumentException if it is not positive and finite
   */
  public ForwardOptions scale(double newScale) {
    if (!(newScale > 0) || Double.isInfinite(newScale)) {
      throw new IllegalArgumentException("scale = " + newScale + "; allowed: positive and finite");
    }
    return new ForwardOptions(form, newScale, initialState, finalState, stream);
  }

  /** Continues from a state, which is read and not changed (unless it is the final state too). */
  public ForwardOptions initialState(State state) {
    return new ForwardOptions(form, scale, state, finalState, stream);
  }

  /** Writes the state after the last token here; it may be the initial state. */
  public ForwardOptions finalState(State state) {
    return new ForwardOptions(form, scale, initialState, state, stream);
  }

  /** Runs on a stream of the operator's accelerator; without, on its default stream. */
  public ForwardOptions stream(Stream newStream) {
    return new ForwardOptions(form, scale, initialState, finalState, newStream);
  }

  /** Returns the form asked for. */
  public Form form() {
    return form;
  }

  /** Returns the scale for a head size: the one set, or {@code 1 / sqrt(headDim)}. */
  public double scaleFor(int headDim) {
    return Double.isNaN(scale) ? 1 / Math.sqrt(headDim) : scale;
  }

  /** Returns the state to continue from, or null. */
  public @Nullable State initialState() {
    return initialState;
  }

  /** Returns the state to write, or null. */
  public @Nullable State finalState() {
    return finalState;
  }

  /** Returns the stream to run on, or null for the default stream. */
  public @Nullable Stream stream() {
    return stream;
  }
}
