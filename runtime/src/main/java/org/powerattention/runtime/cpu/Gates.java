package org.powerattention.runtime.cpu;

import java.nio.FloatBuffer;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.TensorView;

/**
 * Cumulative log gates of one head over a run of tokens: {@code G_i} counted from position 0, in
 * fp64, so that differences stay exact to fp32 however long the run is.
 */
final class Gates {
  /**
   * {@code exp} of anything less is zero in fp32; terms with such a weight are left out of sums.
   */
  static final double NEGLIGIBLE = -105;

  /**
   * A log gate of minus infinity closes a gate; so does this, and differences of it are numbers.
   */
  static final double CLOSED = -1e4;

  private final @Nullable TensorView view;
  private final @Nullable FloatBuffer floats;
  private final @Nullable WindowRing window;
  private final int heads;
  private final double[] cumulative;

  /**
   * @param view log gates {@code [b, t, h]}, or null for gates that are all 1
   * @param capacity greatest length of a run
   * @param window tokens before token 0, or null
   * @param heads number of heads
   */
  Gates(@Nullable TensorView view, int capacity, @Nullable WindowRing window, int heads) {
    this.view = view;
    this.floats = view == null ? null : CpuMemory.bufferOf(view.memory()).asFloatBuffer();
    this.window = window;
    this.heads = heads;
    this.cumulative = new double[view == null ? 0 : capacity];
  }

  /** Moves to tokens {@code [start, start + length)} of a head. */
  void load(int batch, int head, int start, int length) {
    if (view == null || floats == null) {
      return;
    }
    double sum = 0;
    for (int i = 0; i < length; i++) {
      int token = start + i;
      sum +=
          window != null && token < 0
              ? window.latestLogGate(batch * heads + head, -token)
              : Math.max(floats.get(ElementReader.index(view, batch, token, head)), CLOSED);
      cumulative[i] = sum;
    }
  }

  /** Returns whether there are gates; without, every factor is 1. */
  boolean present() {
    return view != null;
  }

  /** Returns {@code exp(G_i)}: what is left at position i of the state before position 0. */
  float sinceStart(int i) {
    return view == null ? 1 : (float) Math.exp(cumulative[i]);
  }

  /** Returns {@code exp(G_i - G_j)}. */
  float between(int i, int j) {
    return view == null ? 1 : (float) Math.exp(cumulative[i] - cumulative[j]);
  }

  /**
   * Returns the least j from which on {@code exp(G_i - G_j)} is not zero in fp32, for {@code j <=
   * i}.
   */
  int firstLive(int i) {
    if (view == null) {
      return 0;
    }
    int j = i;
    while (j > 0 && !(cumulative[i] - cumulative[j - 1] < NEGLIGIBLE)) {
      j--;
    }
    return j;
  }

  /**
   * Returns the least position from which on {@code exp(G_i - G_j)} is zero in fp32, for {@code i >
   * j}; {@code end} if there is none before it.
   */
  int liveUntil(int j, int end) {
    if (view == null) {
      return end;
    }
    int i = j + 1;
    while (i < end && !(cumulative[i] - cumulative[j] < NEGLIGIBLE)) {
      i++;
    }
    return i;
  }

  /** Returns how many of the positions before {@code end} have an {@code exp(G_i)} above zero. */
  int liveFromStart(int from, int end) {
    if (view == null) {
      return end - from;
    }
    int i = end;
    while (i > from && cumulative[i - 1] < NEGLIGIBLE) {
      i--;
    }
    return i - from;
  }
}
