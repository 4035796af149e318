package org.powerattention.runtime.cpu;

import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.TensorView;

/** The keys, values and log gates of a serving call; heads are counted over all sequences. */
final class NewTokens {
  private final int heads;
  private final ElementReader keys;
  private final ElementReader values;
  private final @Nullable ElementReader logGates;

  /**
   * @param k keys [b, t, h, d]
   * @param v values [b, t, h, d]
   * @param logG log gates [b, t, h], or null
   * @param heads h
   * @param headDim d
   */
  NewTokens(TensorView k, TensorView v, @Nullable TensorView logG, int heads, int headDim) {
    this.heads = heads;
    this.keys = new ElementReader(k, headDim);
    this.values = new ElementReader(v, headDim);
    this.logGates = logG == null ? null : new ElementReader(logG, 1);
  }

  /** Reads a token's key and value as the first of the workspace. */
  void read(int head, int token, ServingWorkspace work) {
    keys.read(head / heads, token, head % heads, work.keys[0], work.halves);
    values.read(head / heads, token, head % heads, work.values[0], work.halves);
  }

  /** Returns a token's log gate; 0 without gates. */
  float logGate(int head, int token, ServingWorkspace work) {
    if (logGates == null) {
      return 0;
    }
    logGates.read(head / heads, token, head % heads, work.gate, work.halves);
    return work.gate[0];
  }
}
