package org.powerattention.examples.incontext;

import ai.djl.nn.Block;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.djl.PowerAttentionBlock;
import org.powerattention.djl.PowerAttentionBlockBuilder;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.PowerAttentionOperator;

/** The kinds of attention that are compared. All else of the model is the same. */
enum Arm {
  /** Exponential weights over the whole context. */
  SOFTMAX("softmax"),
  /** Power attention of degree 2, gated. */
  POWER("power, p = 2"),
  /** The same of degree 1: linear attention, gated. */
  LINEAR("linear, p = 1"),
  /** Exponential weights over as many latest tokens as take the memory of the power arm's state. */
  WINDOW("softmax, window");

  private static final double ROTARY_BASE = 10_000;

  private final String title;

  Arm(String title) {
    this.title = title;
  }

  /** Returns the name for plots and tables. */
  String title() {
    return title;
  }

  /** Returns the name for files. */
  String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Returns whether it is power attention, of any degree. */
  boolean hasState() {
    return this == POWER || this == LINEAR;
  }

  /**
   * Returns a new layer.
   *
   * @param operator of an arm with a state; null for the others
   */
  Block layer(Size size, boolean rotary, @Nullable PowerAttentionOperator operator) {
    if (operator == null) {
      int window = this == WINDOW ? size.window() : Integer.MAX_VALUE;
      return new SoftmaxBlock(
          size.width(), size.heads(), size.headDim(), window, rotary ? ROTARY_BASE : 0);
    }
    PowerAttentionBlockBuilder builder =
        PowerAttentionBlock.builder()
            .setOperator(operator)
            .setWidth(size.width())
            .setHeads(size.heads())
            .optHeadNorm(true);
    return rotary ? builder.optRotaryEmbedding(ROTARY_BASE).build() : builder.build();
  }

  /** Loads the operator of an arm with a state, to be closed; null for the others. */
  @Nullable PowerAttentionOperator load(Size size, Accelerator device) {
    boolean small = size.headDim() == Operators.SMALL;
    return switch (this) {
      case POWER ->
          small
              ? SmallPowerLauncher.on(device).operator()
              : LargePowerLauncher.on(device).operator();
      case LINEAR ->
          small
              ? SmallLinearLauncher.on(device).operator()
              : LargeLinearLauncher.on(device).operator();
      case SOFTMAX, WINDOW -> null;
    };
  }

  private KernelSpec spec(Size size) {
    boolean small = size.headDim() == Operators.SMALL;
    if (this == POWER) {
      return small ? SmallPowerLauncher.SPEC : LargePowerLauncher.SPEC;
    }
    return small ? SmallLinearLauncher.SPEC : LargeLinearLauncher.SPEC;
  }

  /** Returns the bytes that a layer remembers of a sequence of {@code tokens}, in float32. */
  long stateBytes(Size size, int tokens) {
    long perHead =
        hasState()
            ? spec(size).stateBytes()
            : 2L * Float.BYTES * size.headDim() * Math.min(tokens, reach(size, tokens));
    return size.heads() * perHead;
  }

  /** Returns the FLOPs of a layer's attention per token of a sequence, forward. */
  double stateFlops(Size size, int tokens) {
    if (hasState()) {
      KernelSpec spec = spec(size);
      return size.heads()
          * (tokens >= spec.crossoverTokens()
              ? spec.chunkedFlopsPerToken()
              : spec.attentionFlopsPerToken(tokens));
    }
    // The first tokens have fewer before them than the window holds.
    double reach = reach(size, tokens);
    double mean = reach - reach * reach / (2 * tokens);
    return size.heads() * mean * 4 * size.headDim();
  }

  private int reach(Size size, int tokens) {
    return this == WINDOW ? Math.min(size.window(), tokens) : tokens;
  }
}
