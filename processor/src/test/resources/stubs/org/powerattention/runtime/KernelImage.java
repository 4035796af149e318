package org.powerattention.runtime;

public record KernelImage(String family, String resource, Tiling tiling) {}
