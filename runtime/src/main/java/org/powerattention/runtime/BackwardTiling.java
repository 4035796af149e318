package org.powerattention.runtime;

/**
 * The sizes that the kernels of the backward pass were generated with.
 *
 * @param stateFeatures features of one thread block of the passes that walk a state
 * @param stateThreads threads of that block
 * @param stateSharedBytes dynamic shared memory of that block, in bytes
 * @param queryRows query rows of one thread block of the pass that computes the queries' gradients
 * @param queryThreads threads of that block
 * @param querySharedBytes dynamic shared memory of that block, in bytes
 * @param keyRows key rows of one thread block of the pass that computes the gradients of keys and
 *     values
 * @param keyThreads threads of that block
 * @param keySharedBytes dynamic shared memory of that block, in bytes
 * @param valuesApart whether the gradients of values have a pass of their own, of the same sizes
 * @param snapshotBytes bytes of one chunk's state snapshot of one key/value head
 */
public record BackwardTiling(
    int stateFeatures,
    int stateThreads,
    int stateSharedBytes,
    int queryRows,
    int queryThreads,
    int querySharedBytes,
    int keyRows,
    int keyThreads,
    int keySharedBytes,
    boolean valuesApart,
    long snapshotBytes)
    implements Tiling {
  @Override
  public boolean byWarpgroups() {
    return valuesApart;
  }
}
