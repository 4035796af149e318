package org.powerattention.runtime.spi;

/**
 * A way to carry out the calls of a shape that are not packed.
 *
 * @param chunked whether to use the chunked form
 * @param chunksPerSegment chunks of each part of a sequence that is walked at the same time as the
 *     others; 0 leaves it to the cost model
 */
public record CallChoice(boolean chunked, long chunksPerSegment) {}
