package org.powerattention.runtime;

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
    boolean byWarpgroups,
    long snapshotBytes)
    implements Tiling {}
