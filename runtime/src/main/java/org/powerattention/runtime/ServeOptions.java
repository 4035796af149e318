package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;

/**
 * Options of prefill and decode calls. An immutable value: each method returns a changed copy.
 *
 * <pre>{@code
 * attention.prefill(memory, q, k, v, logG, ServeOptions.defaults().stream(stream));
 * }</pre>
 */
public final class ServeOptions {
  private static final ServeOptions DEFAULTS = new ServeOptions(Form.AUTOMATIC, Double.NaN, null);

  private final Form form;
  private final double scale;
  private final @Nullable Stream stream;

  private ServeOptions(Form form, double scale, @Nullable Stream stream) {
    this.form = form;
    this.scale = scale;
    this.stream = stream;
  }

  /** Returns the defaults: form by length, scale 1/sqrt(d), the default stream. */
  public static ServeOptions defaults() {
    return DEFAULTS;
  }

  /** Asks for a form of prefill instead of leaving the choice to the cost model. */
  public ServeOptions form(Form newForm) {
    return new ServeOptions(newForm, scale, stream);
  }

  /**
   * Sets the factor of {@code <q, k>}. It cancels out of a normalised result.
   *
   * @throws IllegalArgumentException if it is not positive and finite
   */
  public ServeOptions scale(double newScale) {
    Scale.check(newScale);
    return new ServeOptions(form, newScale, stream);
  }

  /** Runs on a stream of the operator's accelerator; without, on its default stream. */
  public ServeOptions stream(Stream newStream) {
    return new ServeOptions(form, scale, newStream);
  }

  /** Returns the form asked for; decode calls have only one. */
  public Form form() {
    return form;
  }

  /** Returns the scale for a head size: the one set, or {@code 1 / sqrt(headDim)}. */
  public double scaleFor(int headDim) {
    return Scale.orDefault(scale, headDim);
  }

  /** Returns the stream to run on, or null for the default stream. */
  public @Nullable Stream stream() {
    return stream;
  }
}
