package org.powerattention.runtime;

public record KernelImage<T extends Tiling>(String family, String resource, T tiling) {}
