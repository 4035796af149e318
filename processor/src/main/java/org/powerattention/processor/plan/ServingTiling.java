package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.KernelSpec;

/** Tile sizes of the serving kernels, and their constants. */
final class ServingTiling {
  private ServingTiling() {}

  static ServingSizes of(KernelSpec spec, List<Constant> constants) {
    constants.add(new Constant("int", "kDecodeThreads", 256, "threads of a decode block"));
    return new ServingSizes(64, 256, 2 * spec.headDim() * Float.BYTES);
  }
}
