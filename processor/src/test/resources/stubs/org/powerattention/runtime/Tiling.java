package org.powerattention.runtime;

public record Tiling(
    int outputRows,
    int outputThreads,
    int outputSharedBytes,
    int stateFeatures,
    int stateThreads,
    int stateSharedBytes,
    long snapshotBytes) {}
