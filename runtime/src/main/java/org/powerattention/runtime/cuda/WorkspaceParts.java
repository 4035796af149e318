package org.powerattention.runtime.cuda;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.powerattention.annotations.KernelSpec;

/** What the workspace of a call consists of, in words for when there is too little memory. */
final class WorkspaceParts {
  private final String call;
  private final Map<String, Long> bytes = new LinkedHashMap<>();

  private WorkspaceParts(String call) {
    this.call = call;
  }

  static String of(ForwardPlan plan) {
    return new WorkspaceParts("forward")
        .with("states at the chunks' starts", plan.snapshotBytes())
        .with("the segments' own states", plan.segmentBytes())
        .with("sums of the log gates", plan.gateSumBytes())
        .with("joint with the initial state", joints(plan.jointNumbers(), plan.jointParts()))
        .inWords();
  }

  static String of(GradientPlan plan, KernelSpec spec) {
    int rows = (spec.normalized() ? 2 : 0) + (spec.gated() ? 2 : 0);
    return new WorkspaceParts("backward")
        .with("gradients of states at the chunks' ends", plan.snapshotBytes())
        .with("the segments' own gradients of states", plan.segmentGradientBytes())
        .with("products of both", plan.productBytes())
        .with("sums of the log gates", plan.gateSumBytes())
        .with("terms of rows", rows * plan.rowBytes())
        .with("terms of keys", spec.gated() ? 2 * plan.keyRowBytes() : 0)
        .with("joints with states", joints(plan.jointNumbers(), plan.jointParts()))
        .inWords();
  }

  static String of(JoinedTokens joined) {
    return new WorkspaceParts("prefill")
        .with("keys and values", 2 * joined.rowsBytes())
        .with("log gates", joined.gateBytes())
        .inWords();
  }

  /** Returns the bytes of the shares of each number, and of the numbers. */
  private static long joints(long numbers, long parts) {
    return numbers * (parts * Double.BYTES + Float.BYTES);
  }

  private WorkspaceParts with(String part, long size) {
    if (size > 0) {
      bytes.put(part, size);
    }
    return this;
  }

  /** Names the parts, the largest first. */
  private String inWords() {
    return bytes.entrySet().stream()
        .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
        .map(part -> part.getKey() + " " + MemoryPool.mib(part.getValue()))
        .collect(Collectors.joining(", ", "the workspace of a " + call + " call (", ")"));
  }
}
