package org.powerattention.processor.plan;

/**
 * What launches of the backward pass must know.
 *
 * @param stateFeatures features of one thread block of the pass that walks the gradient of the
 *     state
 * @param stateThreads threads of that block
 * @param stateSharedBytes dynamic shared memory of that block, in bytes
 * @param queryRows query rows of one thread block of the pass that computes the queries' gradients
 * @param queryThreads threads of that block
 * @param querySharedBytes dynamic shared memory of that block, in bytes
 * @param keyRows key rows of one thread block of the pass that computes the gradients of keys and
 *     values
 * @param keyThreads threads of that block
 * @param keySharedBytes dynamic shared memory of that block, in bytes
 * @param byWarpgroups whether products are those of warpgroups, a multiprocessor holds one block of
 *     the walk, and the gradients of values have a pass of their own, of the sizes of that of keys;
 *     otherwise it holds two, and one pass computes both
 * @param snapshotBytes bytes of the gradient of one chunk's state of one key/value head
 */
public record BackwardSizes(
    int stateFeatures,
    int stateThreads,
    int stateSharedBytes,
    int queryRows,
    int queryThreads,
    int querySharedBytes,
    int keyRows,
    int keyThreads,
    int keySharedBytes,
    boolean byWarpgroups,
    long snapshotBytes)
    implements LaunchSizes {}
