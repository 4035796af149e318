package org.powerattention.processor.plan;

/**
 * What launches of the serving kernels must know.
 *
 * @param decodeFeatures features of one step of a thread block of the decode pass
 * @param decodeThreads threads of that block
 * @param decodeSharedBytes dynamic shared memory of that block, in bytes
 */
public record ServingSizes(int decodeFeatures, int decodeThreads, int decodeSharedBytes)
    implements LaunchSizes {}
