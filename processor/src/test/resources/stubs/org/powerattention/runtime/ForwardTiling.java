package org.powerattention.runtime;

public record ForwardTiling(
    int outputRows,
    int outputThreads,
    int outputSharedBytes,
    int stateFeatures,
    int stateThreads,
    int stateSharedBytes,
    long snapshotBytes,
    boolean byWarpgroups)
    implements Tiling {}
