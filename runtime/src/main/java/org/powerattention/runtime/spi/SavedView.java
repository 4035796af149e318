package org.powerattention.runtime.spi;

/**
 * What a forward call keeps of a normalised operator's rows for the backward call. Row {@code r} is
 * token {@code i} of sequence {@code n} with {@code r = n t + i}, or of packed sequences the place
 * among all tokens.
 *
 * @param outputs y before it is rounded [rows, hq, d], fp32
 * @param weightSums the sum of each row's weights, without the scale [rows, hq], fp32
 */
public record SavedView(Memory outputs, Memory weightSums) {}
