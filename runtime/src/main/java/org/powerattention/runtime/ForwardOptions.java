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
      new ForwardOptions(Form.AUTOMATIC, Double.NaN, null, null, null, true, null, null);

  private final Form form;
  private final double scale;
  private final @Nullable State initialState;
  private final @Nullable State finalState;
  private final @Nullable SavedForward saved;
  private final boolean savesStates;
  private final @Nullable PackedSequences packed;
  private final @Nullable Stream stream;

  private ForwardOptions(
      Form form,
      double scale,
      @Nullable State initialState,
      @Nullable State finalState,
      @Nullable SavedForward saved,
      boolean savesStates,
      @Nullable PackedSequences packed,
      @Nullable Stream stream) {
    this.form = form;
    this.scale = scale;
    this.initialState = initialState;
    this.finalState = finalState;
    this.saved = saved;
    this.savesStates = savesStates;
    this.packed = packed;
    this.stream = stream;
  }

  /**
   * Returns the defaults: form by length, scale 1/sqrt(d), no states, nothing saved, sequences of
   * equal length, the default stream.
   */
  public static ForwardOptions defaults() {
    return DEFAULTS;
  }

  /** Asks for a form instead of leaving the choice to the cost model. */
  public ForwardOptions form(Form newForm) {
    return new ForwardOptions(
        newForm, scale, initialState, finalState, saved, savesStates, packed, stream);
  }

  /**
   * Sets the factor of {@code <q, k>}. It cancels out of a normalised result.
   *
   * @throws IllegalArgumentException if it is not positive and finite
   */
  public ForwardOptions scale(double newScale) {
    Scale.check(newScale);
    return new ForwardOptions(
        form, newScale, initialState, finalState, saved, savesStates, packed, stream);
  }

  /**
   * Continues from a state, which is read and not changed (unless it is the final state too). Of
   * packed sequences, each continues from its own.
   *
   * <p>The first 64 rows read the state in fp32: under strong gates they rest on it alone, and in
   * effect on one of its keys.
   */
  public ForwardOptions initialState(State state) {
    return new ForwardOptions(form, scale, state, finalState, saved, savesStates, packed, stream);
  }

  /** Writes the state after the last token here; it may be the initial state. */
  public ForwardOptions finalState(State state) {
    return new ForwardOptions(form, scale, initialState, state, saved, savesStates, packed, stream);
  }

  /** Keeps here what the backward call needs; without, that call computes it again. */
  public ForwardOptions save(SavedForward place) {
    return saving(place, true);
  }

  /**
   * Keeps here what the backward call needs, but for the states at the chunks' starts, which that
   * call computes again: slower, with less memory between both. {@link SavedForward#bytes()} tells
   * how much.
   */
  public ForwardOptions saveOutputs(SavedForward place) {
    return saving(place, false);
  }

  private ForwardOptions saving(SavedForward place, boolean states) {
    return new ForwardOptions(form, scale, initialState, finalState, place, states, packed, stream);
  }

  /** Takes sequences of different lengths that lie one after another in the tensors. */
  public ForwardOptions packed(PackedSequences sequences) {
    return new ForwardOptions(
        form, scale, initialState, finalState, saved, savesStates, sequences, stream);
  }

  /** Runs on a stream of the operator's accelerator; without, on its default stream. */
  public ForwardOptions stream(Stream newStream) {
    return new ForwardOptions(
        form, scale, initialState, finalState, saved, savesStates, packed, newStream);
  }

  /** Returns the form asked for. */
  public Form form() {
    return form;
  }

  /** Returns the scale for a head size: the one set, or {@code 1 / sqrt(headDim)}. */
  public double scaleFor(int headDim) {
    return Scale.orDefault(scale, headDim);
  }

  /** Returns the state to continue from, or null. */
  public @Nullable State initialState() {
    return initialState;
  }

  /** Returns the state to write, or null. */
  public @Nullable State finalState() {
    return finalState;
  }

  /** Returns where to keep what the backward call needs, or null. */
  public @Nullable SavedForward saved() {
    return saved;
  }

  /** Returns whether the states at the chunks' starts are kept there too. */
  public boolean savesStates() {
    return savesStates;
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
