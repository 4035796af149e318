package org.powerattention.runtime;

public sealed interface Tiling permits ForwardTiling, BackwardTiling, ServingTiling {}
