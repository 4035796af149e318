package org.powerattention.runtime.spi;

import org.jspecify.annotations.Nullable;

/**
 * A state, or the gradient of one, as a backend sees it: contiguous, without multiplicities.
 *
 * @param sums S [b, h, D, d], fp32
 * @param keySums z [b, h, D], fp32; null if the spec is not normalised
 * @param window the latest tokens, which the sums leave out; null in the gradient of a state
 */
public record StateView(Memory sums, @Nullable Memory keySums, @Nullable WindowView window) {}
