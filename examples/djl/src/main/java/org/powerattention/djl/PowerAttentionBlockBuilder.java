package org.powerattention.djl;

import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.PowerAttentionOperator;

/**
 * Builds a {@link PowerAttentionBlock}. {@link #setOperator}, {@link #setWidth} and {@link
 * #setHeads} are needed.
 */
public final class PowerAttentionBlockBuilder {
  private @Nullable PowerAttentionOperator operator;
  private long width;
  private int queryHeads;
  private int keyHeads;
  private double initialGate = 0.999;
  private double rotaryBase;
  private @Nullable Boolean headNorm;

  PowerAttentionBlockBuilder() {}

  /**
   * Sets the operator.
   *
   * @param newOperator a generated launcher's {@code operator()}, on any device
   */
  public PowerAttentionBlockBuilder setOperator(PowerAttentionOperator newOperator) {
    this.operator = newOperator;
    return this;
  }

  /** Sets how many numbers of a token come in and go out. */
  public PowerAttentionBlockBuilder setWidth(long newWidth) {
    if (newWidth < 1) {
      throw new IllegalArgumentException("width = " + newWidth + "; allowed: 1 and more");
    }
    this.width = newWidth;
    return this;
  }

  /** Sets the number of query heads, and that of key/value heads unless that is set apart. */
  public PowerAttentionBlockBuilder setHeads(int heads) {
    if (heads < 1) {
      throw new IllegalArgumentException("heads = " + heads + "; allowed: 1 and more");
    }
    this.queryHeads = heads;
    return this;
  }

  /** Sets the number of key/value heads, a divisor of the query heads (grouped-query attention). */
  public PowerAttentionBlockBuilder optKeyHeads(int heads) {
    if (heads < 1) {
      throw new IllegalArgumentException("keyHeads = " + heads + "; allowed: 1 and more");
    }
    this.keyHeads = heads;
    return this;
  }

  /** Sets the gates that training starts from, by their bias: 0.999 by default. */
  public PowerAttentionBlockBuilder optInitialGate(double gate) {
    if (!(gate > 0 && gate < 1)) {
      throw new IllegalArgumentException(
          "initialGate = " + gate + "; allowed: more than 0 and less than 1");
    }
    this.initialGate = gate;
    return this;
  }

  /**
   * Turns queries and keys by their position; without, the layer knows order only by its gates.
   *
   * @param base of the angles, 10,000 where nothing speaks for another
   */
  public PowerAttentionBlockBuilder optRotaryEmbedding(double base) {
    if (!(base > 1)) {
      throw new IllegalArgumentException("base = " + base + "; allowed: more than 1");
    }
    this.rotaryBase = base;
    return this;
  }

  /**
   * Sets whether each head's output is normalised to a mean of 0 and a variance of 1. By default,
   * those of operators with {@code normalized = false}: their sums grow with the context.
   */
  public PowerAttentionBlockBuilder optHeadNorm(boolean normalise) {
    this.headNorm = normalise;
    return this;
  }

  /**
   * Returns the block.
   *
   * @throws IllegalArgumentException if something is missing or does not fit
   */
  public PowerAttentionBlock build() {
    checkSet(operator != null, "setOperator");
    checkSet(width != 0, "setWidth");
    checkSet(queryHeads != 0, "setHeads");
    if (queryHeads % keyHeads() != 0) {
      throw new IllegalArgumentException(
          "keyHeads = " + keyHeads + " with heads = " + queryHeads + "; allowed: divisors of it");
    }
    return new PowerAttentionBlock(this);
  }

  private static void checkSet(boolean set, String method) {
    if (!set) {
      throw new IllegalArgumentException(method + " has not been called");
    }
  }

  PowerAttentionOperator operator() {
    if (operator == null) {
      throw new IllegalStateException("checked by build");
    }
    return operator;
  }

  long width() {
    return width;
  }

  int queryHeads() {
    return queryHeads;
  }

  int keyHeads() {
    return keyHeads == 0 ? queryHeads : keyHeads;
  }

  double initialGate() {
    return initialGate;
  }

  @Nullable RotaryEmbedding rotary() {
    return rotaryBase == 0 ? null : new RotaryEmbedding(operator().spec().headDim(), rotaryBase);
  }

  boolean headNorm() {
    return headNorm != null ? headNorm : !operator().spec().normalized();
  }
}
