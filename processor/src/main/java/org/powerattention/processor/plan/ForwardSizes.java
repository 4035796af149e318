package org.powerattention.processor.plan;

/**
 * What launches of the forward pass must know.
 *
 * @param outputRows query rows of one thread block of the output pass and the attention form
 * @param outputThreads threads of that block
 * @param outputSharedBytes dynamic shared memory of that block, in bytes
 * @param stateFeatures features of one thread block of the state pass
 * @param stateThreads threads of that block
 * @param stateSharedBytes dynamic shared memory of that block, in bytes
 * @param snapshotBytes bytes of one chunk's state snapshot of one key/value head
 * @param byWarpgroups whether products are those of warpgroups, and a multiprocessor holds one
 *     block of the state pass; otherwise it holds two
 */
public record ForwardSizes(
    int outputRows,
    int outputThreads,
    int outputSharedBytes,
    int stateFeatures,
    int stateThreads,
    int stateSharedBytes,
    long snapshotBytes,
    boolean byWarpgroups)
    implements LaunchSizes {}
