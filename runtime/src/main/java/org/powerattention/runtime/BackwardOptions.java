package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;

/**
 * Options of a backward call. An immutable value: each method returns a changed copy. Scale,
 * initial state and packing are part of the function that is differentiated, so they have to be
 * those of the forward call; the form is free.
 *
 * <pre>{@code
 * SavedForward saved = attention.newSavedForward(batch, tokens, heads);
 * Tensor y = attention.forward(q, k, v, logG, ForwardOptions.defaults().save(saved));
 * Gradients g = attention.backward(q, k, v, logG, dY, BackwardOptions.defaults().saved(saved));
 * }</pre>
 */
public final class BackwardOptions {
  private static final BackwardOptions DEFAULTS =
      new BackwardOptions(Form.AUTOMATIC, Double.NaN, null, null, null, null, null);

  private final Form form;
  private final double scale;
  private final @Nullable State initialState;
  private final @Nullable State dFinalState;
  private final @Nullable SavedForward saved;
  private final @Nullable PackedSequences packed;
  private final @Nullable Stream stream;

  private BackwardOptions(
      Form form,
      double scale,
      @Nullable State initialState,
      @Nullable State dFinalState,
      @Nullable SavedForward saved,
      @Nullable PackedSequences packed,
      @Nullable Stream stream) {
    this.form = form;
    this.scale = scale;
    this.initialState = initialState;
    this.dFinalState = dFinalState;
    this.saved = saved;
    this.packed = packed;
    this.stream = stream;
  }

  /**
   * Returns the defaults: form by length, scale 1/sqrt(d), no states, nothing saved, sequences of
   * equal length, the default stream.
   */
  public static BackwardOptions defaults() {
    return DEFAULTS;
  }

  /** Asks for a form instead of leaving the choice to the cost model. */
  public BackwardOptions form(Form newForm) {
    return new BackwardOptions(newForm, scale, initialState, dFinalState, saved, packed, stream);
  }

  /**
   * Sets the factor of {@code <q, k>}, that of the forward call.
   *
   * @throws IllegalArgumentException if it is not positive and finite
   */
  public BackwardOptions scale(double newScale) {
    Scale.check(newScale);
    return new BackwardOptions(form, newScale, initialState, dFinalState, saved, packed, stream);
  }

  /** Names the forward call's initial state, as it was then; its gradient is computed too. */
  public BackwardOptions initialState(State state) {
    return new BackwardOptions(form, scale, state, dFinalState, saved, packed, stream);
  }

  /**
   * Gives the gradient of the loss with respect to the forward call's final state; without, that is
   * zero. It has a state's layout: fp32, without multiplicities.
   */
  public BackwardOptions dFinalState(State gradient) {
    return new BackwardOptions(form, scale, initialState, gradient, saved, packed, stream);
  }

  /** Names what the forward call kept; without, it is computed again. */
  public BackwardOptions saved(SavedForward kept) {
    return new BackwardOptions(form, scale, initialState, dFinalState, kept, packed, stream);
  }

  /** Takes sequences of different lengths that lie one after another in the tensors. */
  public BackwardOptions packed(PackedSequences sequences) {
    return new BackwardOptions(form, scale, initialState, dFinalState, saved, sequences, stream);
  }

  /** Runs on a stream of the operator's accelerator; without, on its default stream. */
  public BackwardOptions stream(Stream newStream) {
    return new BackwardOptions(form, scale, initialState, dFinalState, saved, packed, newStream);
  }

  /** Returns the form asked for. */
  public Form form() {
    return form;
  }

  /** Returns the scale for a head size: the one set, or {@code 1 / sqrt(headDim)}. */
  public double scaleFor(int headDim) {
    return Scale.orDefault(scale, headDim);
  }

  /** Returns the forward call's initial state, or null. */
  public @Nullable State initialState() {
    return initialState;
  }

  /** Returns the gradient of the final state, or null for zero. */
  public @Nullable State dFinalState() {
    return dFinalState;
  }

  /** Returns what the forward call kept, or null. */
  public @Nullable SavedForward saved() {
    return saved;
  }

  /** Returns where the sequences lie, or null if they are not packed. */
  public @Nullable PackedSequences packed() {
    return packed;
  }

  /** Returns the stream to run on, or null for the default stream. */
  public @Nullable Stream stream() {
    return stream;
  }
}
