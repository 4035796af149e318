package org.powerattention.runtime.cpu;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.TensorView;
import org.powerattention.runtime.spi.WindowView;

/**
 * The windows of a state, opened. A head is counted over all sequences, {@code batch entry * heads
 * + head}; a token of its window is counted from the oldest.
 */
final class WindowRing {
  /** Slots of each ring. */
  final int capacity;

  private final int headDim;
  private final ElementReader keys;
  private final ElementReader values;
  private final ElementWriter newKeys;
  private final ElementWriter newValues;
  private final @Nullable FloatBuffer logGates;
  private final IntBuffer spans;

  WindowRing(WindowView view, DType dtype, int headDim) {
    this.capacity = view.capacity();
    this.headDim = headDim;
    TensorView keyView = rings(view.keys(), dtype, headDim);
    TensorView valueView = rings(view.values(), dtype, headDim);
    this.keys = new ElementReader(keyView, headDim);
    this.values = new ElementReader(valueView, headDim);
    this.newKeys = new ElementWriter(keyView, "the state", headDim);
    this.newValues = new ElementWriter(valueView, "the state", headDim);
    ByteBuffer gates = view.logGates() == null ? null : CpuMemory.bufferOf(view.logGates());
    this.logGates = gates == null ? null : gates.asFloatBuffer();
    this.spans = CpuMemory.bufferOf(view.spans()).asIntBuffer();
  }

  /** The rings as a tensor of one batch entry, whose tokens are the slots. */
  private TensorView rings(Memory memory, DType dtype, int headDim) {
    return new TensorView(memory, 0, dtype, 0, headDim, (long) capacity * headDim);
  }

  /** Returns the number of tokens of a head's window. */
  int length(int head) {
    return spans.get(2 * head + 1);
  }

  private int slot(int head, int token) {
    return (spans.get(2 * head) + token) % capacity;
  }

  /** Reads a token's key and value into the first d places of two arrays. */
  void read(int head, int token, float[] key, float[] value, short[] scratch) {
    int slot = slot(head, token);
    keys.read(0, slot, head, key, scratch);
    values.read(0, slot, head, value, scratch);
  }

  /**
   * Reads the key of the {@code back}-th latest token, 1 being the latest; zeros if there are not
   * as many.
   */
  void readLatestKey(int head, int back, float[] target, short[] scratch) {
    readLatest(keys, head, back, target, scratch);
  }

  /** Reads the value of that token. */
  void readLatestValue(int head, int back, float[] target, short[] scratch) {
    readLatest(values, head, back, target, scratch);
  }

  private void readLatest(
      ElementReader reader, int head, int back, float[] target, short[] scratch) {
    int token = length(head) - back;
    if (token >= 0) {
      reader.read(0, slot(head, token), head, target, scratch);
    } else {
      Arrays.fill(target, 0, headDim, 0);
    }
  }

  /** Returns the log gate of the {@code back}-th latest token; 0 if there are not as many. */
  double latestLogGate(int head, int back) {
    int token = length(head) - back;
    return token >= 0 ? logGate(head, token) : 0;
  }

  /** Returns a token's log gate, that of a closed gate as a number; 0 without gates. */
  double logGate(int head, int token) {
    return logGates == null
        ? 0
        : Math.max(logGates.get(head * capacity + slot(head, token)), Gates.CLOSED);
  }

  /**
   * Reads the oldest tokens into the workspace, with factors {@code exp(G_last - G_j)} from the
   * latest of them on.
   *
   * @param count up to {@link ServingWorkspace#TOKENS}
   * @return {@code exp} of the sum of their log gates
   */
  float readOldest(int head, int count, ServingWorkspace work) {
    double since = 0;
    for (int j = count - 1; j >= 0; j--) {
      if (since < Gates.NEGLIGIBLE) {
        work.clearTokens(j, j + 1);
      } else {
        read(head, j, work.keys[j], work.values[j], work.halves);
        work.factors[j] = (float) Math.exp(since);
      }
      since += logGate(head, j);
    }
    return (float) Math.exp(since);
  }

  /** Removes the oldest tokens. */
  void removeOldest(int head, int count) {
    int first = slot(head, count);
    int length = length(head) - count;
    spans.put(2 * head, length == 0 ? 0 : first);
    spans.put(2 * head + 1, length);
  }

  /** Adds a token after the latest, of a window that is not full. */
  void append(int head, float[] key, float[] value, float logGate, short[] scratch) {
    int length = length(head);
    int slot = slot(head, length);
    newKeys.write(0, slot, head, key, scratch);
    newValues.write(0, slot, head, value, scratch);
    if (logGates != null) {
      logGates.put(head * capacity + slot, logGate);
    }
    spans.put(2 * head + 1, length + 1);
  }
}
