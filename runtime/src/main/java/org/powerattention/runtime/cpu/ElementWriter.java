package org.powerattention.runtime.cpu;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.spi.HalfFloats;
import org.powerattention.runtime.spi.TensorView;

/** Rounds fp32 vectors into a tensor {@code [b, t, heads, d]} of any element type and strides. */
final class ElementWriter {
  private final TensorView view;
  private final int length;
  private final FloatBuffer floats;
  private final ShortBuffer halves;

  /**
   * @param view the tensor
   * @param name what it is, for messages
   * @param length d
   * @throws IllegalArgumentException if its memory is read-only
   */
  ElementWriter(TensorView view, String name, int length) {
    this.view = view;
    this.length = length;
    ByteBuffer buffer = CpuMemory.bufferOf(view.memory());
    if (buffer.isReadOnly()) {
      throw new IllegalArgumentException(
          name + " lies in a read-only buffer; give it a writable one");
    }
    this.floats = buffer.asFloatBuffer();
    this.halves = buffer.asShortBuffer();
  }

  /**
   * Writes the first d numbers of {@code source}, each rounded to nearest, ties to even.
   *
   * @param scratch at least d long
   */
  void write(int batch, int token, int head, float[] source, short[] scratch) {
    int index = ElementReader.index(view, batch, token, head);
    if (view.dtype() == DType.FP32) {
      floats.put(index, source, 0, length);
      return;
    }
    if (view.dtype() == DType.BF16) {
      for (int i = 0; i < length; i++) {
        scratch[i] = HalfFloats.toBf16(source[i]);
      }
    } else {
      for (int i = 0; i < length; i++) {
        scratch[i] = HalfFloats.toFp16(source[i]);
      }
    }
    halves.put(index, scratch, 0, length);
  }
}
