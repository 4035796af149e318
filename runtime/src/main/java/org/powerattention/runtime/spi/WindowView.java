package org.powerattention.runtime.spi;

import org.jspecify.annotations.Nullable;

/**
 * The latest tokens of each sequence and head, in a ring of {@code capacity} slots: the n-th of
 * them (0 is the oldest) lies in slot {@code (first + n) % capacity}.
 *
 * @param capacity slots W of each ring, even
 * @param keys keys [b, h, W, d] in the spec's dtype
 * @param values values [b, h, W, d] in the spec's dtype
 * @param logGates log gates [b, h, W], fp32; null if the spec is not gated
 * @param spans {@code first} and the number of tokens, [b, h, 2] of 32-bit integers
 */
public record WindowView(
    int capacity, Memory keys, Memory values, @Nullable Memory logGates, Memory spans) {}
