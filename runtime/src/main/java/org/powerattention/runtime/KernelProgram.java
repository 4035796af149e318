package org.powerattention.runtime;

import java.util.List;
import java.util.Objects;
import org.powerattention.annotations.KernelSpec;

/**
 * What the processor hands to the runtime for one declaration; a literal in the generated launcher.
 *
 * <p>The sources come in three parts, so that a process compiles only what it uses. Each part has
 * its families, oldest first.
 *
 * @param name name of the operator, for messages and the cache
 * @param spec what was declared
 * @param anchor the launcher class, through which the sources are found
 * @param forward the forward pass
 * @param backward the backward pass
 * @param serving what prefill and decode need beside the forward pass
 */
public record KernelProgram(
    String name,
    KernelSpec spec,
    Class<?> anchor,
    List<KernelImage<ForwardTiling>> forward,
    List<KernelImage<BackwardTiling>> backward,
    List<KernelImage<ServingTiling>> serving) {
  /** Checks for nulls and copies the lists. */
  public KernelProgram {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(spec, "spec");
    Objects.requireNonNull(anchor, "anchor");
    forward = List.copyOf(forward);
    backward = List.copyOf(backward);
    serving = List.copyOf(serving);
  }
}
