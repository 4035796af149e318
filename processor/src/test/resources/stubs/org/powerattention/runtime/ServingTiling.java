package org.powerattention.runtime;

public record ServingTiling(
    int decodeFeatures, int decodeThreads, int decodeSharedBytes, int partialNumbers)
    implements Tiling {}
