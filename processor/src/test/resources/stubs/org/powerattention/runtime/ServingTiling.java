package org.powerattention.runtime;

public record ServingTiling(int decodeFeatures, int decodeThreads, int decodeSharedBytes)
    implements Tiling {}
