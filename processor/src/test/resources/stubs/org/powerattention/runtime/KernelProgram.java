package org.powerattention.runtime;

import java.util.List;
import org.powerattention.annotations.KernelSpec;

public record KernelProgram(
    String name,
    KernelSpec spec,
    Class<?> anchor,
    List<KernelImage<ForwardTiling>> forward,
    List<KernelImage<BackwardTiling>> backward,
    List<KernelImage<ServingTiling>> serving) {}
