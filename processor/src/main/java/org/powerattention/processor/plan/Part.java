package org.powerattention.processor.plan;

import java.util.List;

/** What an operator's kernels are for; each part has sources of its own. */
public enum Part {
  /** The forward pass. */
  FORWARD("power_attention.cu", ""),
  /** The backward pass. */
  BACKWARD("power_attention_backward.cu", ".backward"),
  /** What prefill and decode need beside the forward pass. */
  SERVING("power_attention_serving.cu", ".serving");

  private final String mainFile;
  private final String suffix;

  Part(String mainFile, String suffix) {
    this.mainFile = mainFile;
    this.suffix = suffix;
  }

  /** Returns the name of the CUDA file that its sources start from. */
  public String mainFile() {
    return mainFile;
  }

  /** Returns what the names of its sources have between the launcher's name and the family. */
  public String suffix() {
    return suffix;
  }

  /** Returns the families that it is written for, oldest first. */
  public List<Family> families() {
    // Serving waits for memory, so that newer instructions would gain nothing.
    return this == SERVING ? List.of(Family.SM_80) : List.of(Family.values());
  }
}
