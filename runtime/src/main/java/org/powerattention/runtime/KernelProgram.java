package org.powerattention.runtime;

import java.util.List;
import java.util.Objects;
import org.powerattention.annotations.KernelSpec;

/**
 * What the processor hands to the runtime for one declaration; a literal in the generated launcher.
 *
 * @param name name of the operator, for messages and the cache
 * @param spec what was declared
 * @param anchor the launcher class, through which the sources are found
 * @param images the generated sources, oldest family first
 */
public record KernelProgram(
    String name, KernelSpec spec, Class<?> anchor, List<KernelImage> images) {
  /** Checks for nulls and copies the list. */
  public KernelProgram {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(spec, "spec");
    Objects.requireNonNull(anchor, "anchor");
    images = List.copyOf(images);
  }
}
