package org.powerattention.runtime;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.events.CopyEvent;
import org.powerattention.runtime.events.Events;
import org.powerattention.runtime.spi.Memory;

/**
 * Copies between host values and the memory of a tensor, in pieces that fit a staging buffer: any
 * size works, and each piece is one transfer even where the tensor's elements are not adjacent.
 *
 * <p>A piece of a strided tensor is the whole span of memory that it reaches over. To write one,
 * the span is read, changed and written back.
 */
final class HostCopy {
  private final Memory memory;
  private final DType dtype;
  private final HostValues host;
  private final boolean toDevice;
  private final ByteBuffer staging;
  private final long capacity;
  private final long[] shape;
  private final long[] strides;

  private HostCopy(
      Memory memory,
      DType dtype,
      Layout layout,
      HostValues host,
      boolean toDevice,
      ByteBuffer staging) {
    this.memory = memory;
    this.dtype = dtype;
    this.host = host;
    this.toDevice = toDevice;
    this.staging = staging;
    this.capacity = staging.capacity() / dtype.bytes();
    List<long[]> dimensions = merged(layout);
    this.shape = new long[dimensions.size()];
    this.strides = new long[dimensions.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = dimensions.get(i)[0];
      strides[i] = dimensions.get(i)[1];
    }
  }

  /** Copies all elements of a layout, to the device or from it. */
  static void run(Storage storage, DType dtype, Layout layout, HostValues host, boolean toDevice) {
    Memory memory = storage.memory();
    ByteBuffer staging = storage.takeStaging();
    CopyEvent event = Events.startCopy();
    try {
      new HostCopy(memory, dtype, layout, host, toDevice, staging).copy(0, layout.offset(), 0);
    } finally {
      storage.returnStaging(staging);
      if (event != null) {
        event.device = storage.accelerator().name();
        event.toDevice = toDevice;
        event.bytes = layout.elements() * dtype.bytes();
        event.commit();
      }
    }
  }

  /**
   * Sizes and strides without dimensions of size 1, with adjacent ones merged where they can be.
   */
  private static List<long[]> merged(Layout layout) {
    List<long[]> dimensions = new ArrayList<>();
    for (int k = 0; k < layout.rank(); k++) {
      long size = layout.shape()[k];
      long stride = layout.strides()[k];
      long[] outer = dimensions.isEmpty() ? null : dimensions.get(dimensions.size() - 1);
      if (outer != null && size > 1 && outer[1] == size * stride) {
        outer[0] *= size;
        outer[1] = stride;
      } else if (size > 1) {
        dimensions.add(new long[] {size, stride});
      }
    }
    if (dimensions.isEmpty()) {
      dimensions.add(new long[] {1, 1});
    }
    return dimensions;
  }

  /**
   * Copies the dimensions from {@code dimension} on.
   *
   * @param position position in memory of their first element
   * @param index row-major index of their first element
   */
  private void copy(int dimension, long position, long index) {
    long inner = span(dimension + 1);
    if (inner > capacity) {
      long elements = elements(dimension + 1);
      for (long i = 0; i < shape[dimension]; i++) {
        copy(dimension + 1, position + i * strides[dimension], index + i * elements);
      }
      return;
    }
    long stride = strides[dimension];
    long block = stride == 0 ? shape[dimension] : 1 + (capacity - inner) / stride;
    long elements = elements(dimension + 1);
    for (long i = 0; i < shape[dimension]; i += block) {
      long count = Math.min(block, shape[dimension] - i);
      copyPiece(dimension, count, position + i * stride, index + i * elements);
    }
  }

  private void copyPiece(int dimension, long count, long position, long index) {
    long span = span(dimension + 1) + (count - 1) * strides[dimension];
    staging.clear().limit((int) (span * dtype.bytes()));
    boolean dense = span == count * elements(dimension + 1);
    if (!toDevice || !dense) {
      memory.read(position * dtype.bytes(), staging.duplicate());
    }
    exchange(dimension, count, 0, index);
    if (toDevice) {
      memory.write(position * dtype.bytes(), staging.duplicate());
    }
  }

  /** Moves elements between the host values and staging. */
  private void exchange(int dimension, long count, long place, long index) {
    if (dimension == shape.length - 1 && strides[dimension] == 1) {
      exchangeRun(place, index, (int) count);
      return;
    }
    boolean innermost = dimension == shape.length - 1;
    long elements = elements(dimension + 1);
    for (long i = 0; i < count; i++) {
      long at = place + i * strides[dimension];
      if (innermost) {
        exchangeRun(at, index + i, 1);
      } else {
        exchange(dimension + 1, shape[dimension + 1], at, index + i * elements);
      }
    }
  }

  private void exchangeRun(long place, long index, int count) {
    int byteOffset = (int) (place * dtype.bytes());
    if (toDevice) {
      host.encode(index, staging, byteOffset, count);
    } else {
      host.decode(staging, byteOffset, index, count);
    }
  }

  /** Elements from the first to the last place of the dimensions from one on, both included. */
  private long span(int dimension) {
    long span = 1;
    for (int k = dimension; k < shape.length; k++) {
      span += (shape[k] - 1) * strides[k];
    }
    return span;
  }

  private long elements(int dimension) {
    long elements = 1;
    for (int k = dimension; k < shape.length; k++) {
      elements *= shape[k];
    }
    return elements;
  }
}
