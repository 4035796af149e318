package org.powerattention.runtime.spi;

/**
 * Sequences that lie one after another along the token dimension of tensors {@code [total tokens,
 * heads, ...]}, whose views have a batch stride of 0.
 *
 * @param offsets first token of each sequence, and the number of all tokens at the end; not to be
 *     changed
 * @param table the same on the device, as 64-bit integers
 */
@SuppressWarnings("ArrayRecordComponent") // shared, never compared
public record PackedView(int[] offsets, Memory table) {}
