package org.powerattention.runtime;

import java.util.Objects;

/**
 * One generated CUDA source of an operator, for one architecture family.
 *
 * @param <T> which part of the operator it holds, by what its launches need to know
 * @param family the least architecture that runs it, {@code sm_80} or {@code sm_90a}
 * @param resource absolute name of the resource that holds the source, beside the launcher class
 * @param tiling what a launch needs to know of how the source was generated
 */
public record KernelImage<T extends Tiling>(String family, String resource, T tiling) {
  /** Checks for nulls. */
  public KernelImage {
    Objects.requireNonNull(family, "family");
    Objects.requireNonNull(resource, "resource");
    Objects.requireNonNull(tiling, "tiling");
  }
}
