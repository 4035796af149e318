package org.powerattention.runtime.cpu;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.spi.HalfFloats;
import org.powerattention.runtime.spi.TensorView;

/** Reads vectors of a tensor {@code [b, t, heads, d]} of any element type and strides as fp32. */
final class ElementReader {
  private final TensorView view;
  private final int length;
  private final FloatBuffer floats;
  private final ShortBuffer halves;

  /**
   * @param view the tensor
   * @param length d
   */
  ElementReader(TensorView view, int length) {
    this.view = view;
    this.length = length;
    ByteBuffer buffer = CpuMemory.bufferOf(view.memory());
    this.floats = buffer.asFloatBuffer();
    this.halves = buffer.asShortBuffer();
  }

  /**
   * Reads one vector into the first d places of {@code target}.
   *
   * @param scratch at least d long
   */
  void read(int batch, int token, int head, float[] target, short[] scratch) {
    int index = index(view, batch, token, head);
    if (view.dtype() == DType.FP32) {
      floats.get(index, target, 0, length);
      return;
    }
    halves.get(index, scratch, 0, length);
    if (view.dtype() == DType.BF16) {
      for (int i = 0; i < length; i++) {
        target[i] = HalfFloats.fromBf16(scratch[i]);
      }
    } else {
      for (int i = 0; i < length; i++) {
        target[i] = HalfFloats.fromFp16(scratch[i]);
      }
    }
  }

  /** Returns the position of a vector's first element in its buffer, in elements. */
  static int index(TensorView view, int batch, int token, int head) {
    return Math.toIntExact(
        view.offset()
            + batch * view.batchStride()
            + token * view.tokenStride()
            + head * view.headStride());
  }
}
