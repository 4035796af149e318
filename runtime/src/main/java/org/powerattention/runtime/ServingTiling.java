package org.powerattention.runtime;

/**
 * The sizes that the kernels of prefill and decode were generated with.
 *
 * @param decodeFeatures features of one step of a thread block of the decode pass
 * @param decodeThreads threads of that block
 * @param decodeSharedBytes dynamic shared memory of that block, in bytes
 */
public record ServingTiling(int decodeFeatures, int decodeThreads, int decodeSharedBytes)
    implements Tiling {}
