package org.powerattention.runtime.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.Memory;

/** A direct buffer in native byte order, of up to 2^31 - 1 bytes. */
final class CpuMemory implements Memory {
  private final int bytes;
  private volatile @Nullable ByteBuffer buffer;

  private CpuMemory(ByteBuffer buffer) {
    this.bytes = buffer.capacity();
    this.buffer = buffer;
  }

  /**
   * Allocates memory filled with zeros; it is freed when nothing refers to it any more.
   *
   * @throws IllegalArgumentException if a buffer cannot be as large
   * @throws OutOfMemoryError if the limit on direct memory is reached
   */
  static CpuMemory allocate(long bytes) {
    if (bytes < 0 || bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a CPU tensor of "
              + bytes
              + " bytes; allowed: 0 to "
              + Integer.MAX_VALUE
              + " (one Java buffer); split it along the batch or the heads");
    }
    try {
      return new CpuMemory(
          ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder()));
    } catch (OutOfMemoryError e) {
      OutOfMemoryError error =
          new OutOfMemoryError(
              "no room for a CPU tensor of "
                  + bytes
                  + " bytes ("
                  + e.getMessage()
                  + "); close tensors, or raise -XX:MaxDirectMemorySize");
      error.initCause(e);
      throw error;
    }
  }

  /** See {@link CpuBackend#wrap}. */
  static CpuMemory wrap(ByteBuffer direct) {
    if (!direct.isDirect()) {
      throw new IllegalArgumentException(
          "a heap buffer cannot be borrowed; use ByteBuffer.allocateDirect, or copy with"
              + " Tensor.copyFrom");
    }
    if (direct.order() != ByteOrder.nativeOrder()) {
      throw new IllegalArgumentException(
          "a buffer of byte order "
              + direct.order()
              + " cannot be borrowed; allowed: "
              + ByteOrder.nativeOrder()
              + ", set by buffer.order(ByteOrder.nativeOrder())");
    }
    return new CpuMemory(direct.slice().order(ByteOrder.nativeOrder()));
  }

  /**
   * Returns the buffer of a memory block that this backend made.
   *
   * @throws IllegalArgumentException if another backend made it
   * @throws IllegalStateException if it is closed
   */
  static ByteBuffer bufferOf(Memory memory) {
    if (!(memory instanceof CpuMemory cpu)) {
      throw new IllegalArgumentException(
          "memory of another device in a call on the CPU; copy the tensor to the CPU first");
    }
    return cpu.open();
  }

  /** Returns the memory as numbers, or null for none. */
  static @Nullable FloatBuffer floatsOf(@Nullable Memory memory) {
    return memory == null ? null : bufferOf(memory).asFloatBuffer();
  }

  private ByteBuffer open() {
    ByteBuffer current = buffer;
    if (current == null) {
      throw new IllegalStateException("CPU memory of " + bytes + " bytes is closed");
    }
    return current;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public long address() {
    return 0;
  }

  @Override
  public void write(long offset, ByteBuffer source) {
    slice(offset, source.remaining()).put(source);
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    target.put(slice(offset, target.remaining()));
  }

  @Override
  public void copyFrom(Memory source, long sourceOffset, long offset, long bytes) {
    if (source instanceof CpuMemory cpu) {
      int length = Math.toIntExact(bytes);
      slice(offset, length).put(cpu.slice(sourceOffset, length));
    } else {
      Memory.super.copyFrom(source, sourceOffset, offset, bytes);
    }
  }

  private ByteBuffer slice(long offset, int length) {
    ByteBuffer whole = open();
    if (offset < 0 || offset > bytes - length) {
      throw new IndexOutOfBoundsException(
          length + " bytes at offset " + offset + " of " + bytes + " bytes");
    }
    return whole.slice(Math.toIntExact(offset), length);
  }

  @Override
  public void close() {
    buffer = null;
  }
}
