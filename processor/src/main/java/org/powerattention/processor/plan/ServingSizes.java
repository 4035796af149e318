package org.powerattention.processor.plan;

/**
 * What launches of the kernels of prefill and decode must know; the launcher hands it to the
 * runtime as its {@code ServingTiling}.
 *
 * @param decodeFeatures features of one step of a thread block that walks a state
 * @param decodeThreads threads of that block
 * @param decodeSharedBytes dynamic shared memory of that block, in bytes
 * @param partialNumbers fp32 numbers that such a block leaves for each query row
 */
public record ServingSizes(
    int decodeFeatures, int decodeThreads, int decodeSharedBytes, int partialNumbers) {}
