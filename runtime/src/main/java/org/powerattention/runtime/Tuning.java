package org.powerattention.runtime;

/**
 * How calls of one shape are fastest on a device, as {@link PowerAttentionOperator#tune} measured.
 *
 * @param form the form that {@link Form#AUTOMATIC} takes for the shape
 * @param chunksPerSegment in chunked form on CUDA, chunks of each part of a sequence that is walked
 *     at the same time as the others; 0 where the cost model's choice was as fast as any
 * @param milliseconds a forward call with these choices
 * @param untunedMilliseconds a forward call with those of the cost model
 */
public record Tuning(
    Form form, long chunksPerSegment, double milliseconds, double untunedMilliseconds) {}
