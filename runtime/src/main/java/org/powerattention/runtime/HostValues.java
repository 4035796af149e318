package org.powerattention.runtime;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.spi.HalfFloats;

/** A tensor's elements in host memory, in row-major order, as a host copy reads or writes them. */
interface HostValues {
  /** Writes {@code count} elements from {@code index} on into staging, as the device has them. */
  void encode(long index, ByteBuffer staging, int byteOffset, int count);

  /** Takes {@code count} elements from staging, storing them from {@code index} on. */
  void decode(ByteBuffer staging, int byteOffset, long index, int count);

  /** The elements as floats, which are rounded on their way to the device. */
  record Floats(FloatBuffer values, DType dtype) implements HostValues {
    @Override
    public void encode(long index, ByteBuffer staging, int byteOffset, int count) {
      int from = values.position() + (int) index;
      switch (dtype) {
        case FP32 -> {
          for (int i = 0; i < count; i++) {
            staging.putFloat(byteOffset + 4 * i, values.get(from + i));
          }
        }
        case BF16 -> {
          for (int i = 0; i < count; i++) {
            staging.putShort(byteOffset + 2 * i, HalfFloats.toBf16(values.get(from + i)));
          }
        }
        case FP16 -> {
          for (int i = 0; i < count; i++) {
            staging.putShort(byteOffset + 2 * i, HalfFloats.toFp16(values.get(from + i)));
          }
        }
      }
    }

    @Override
    public void decode(ByteBuffer staging, int byteOffset, long index, int count) {
      int to = values.position() + (int) index;
      switch (dtype) {
        case FP32 -> {
          for (int i = 0; i < count; i++) {
            values.put(to + i, staging.getFloat(byteOffset + 4 * i));
          }
        }
        case BF16 -> {
          for (int i = 0; i < count; i++) {
            values.put(to + i, HalfFloats.fromBf16(staging.getShort(byteOffset + 2 * i)));
          }
        }
        case FP16 -> {
          for (int i = 0; i < count; i++) {
            values.put(to + i, HalfFloats.fromFp16(staging.getShort(byteOffset + 2 * i)));
          }
        }
      }
    }
  }

  /** The elements as the device has them. */
  record Raw(ByteBuffer bytes, DType dtype) implements HostValues {
    @Override
    public void encode(long index, ByteBuffer staging, int byteOffset, int count) {
      int size = dtype.bytes();
      staging.put(byteOffset, bytes, bytes.position() + (int) index * size, count * size);
    }

    @Override
    public void decode(ByteBuffer staging, int byteOffset, long index, int count) {
      int size = dtype.bytes();
      bytes.put(bytes.position() + (int) index * size, staging, byteOffset, count * size);
    }
  }
}
