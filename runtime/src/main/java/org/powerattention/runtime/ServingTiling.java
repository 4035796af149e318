package org.powerattention.runtime;

/**
 * The sizes that the kernels of prefill and decode were generated with.
 *
 * @param decodeFeatures features of one step of a thread block that walks a state
 * @param decodeThreads threads of that block
 * @param decodeSharedBytes dynamic shared memory of that block, in bytes
 * @param partialNumbers fp32 numbers that such a block leaves for each query row
 */
public record ServingTiling(
    int decodeFeatures, int decodeThreads, int decodeSharedBytes, int partialNumbers) {}
