package org.powerattention.runtime.spi;

import org.jspecify.annotations.Nullable;

/**
 * What a forward call keeps for the backward call. Row {@code r} is token {@code i} of sequence
 * {@code n} with {@code r = n t + i}, or of packed sequences the place among all tokens.
 *
 * @param outputs of a normalised operator, y before it is rounded [rows, hq, d], fp32; null if it
 *     is not kept
 * @param weightSums the sum of each row's weights, without the scale [rows, hq], fp32; null exactly
 *     if the outputs are
 * @param states the states at the chunks' starts, in a layout of the device's, {@link
 *     LoadedProgram#keptStateBytes} in all; null if they are not kept
 */
public record SavedView(
    @Nullable Memory outputs, @Nullable Memory weightSums, @Nullable Memory states) {
  /** What a call that saves nothing leaves. */
  public static final SavedView NOTHING = new SavedView(null, null, null);
}
