package org.powerattention.runtime.spi;

import java.nio.ByteBuffer;

/** A block of a device's memory. */
public interface Memory extends AutoCloseable {
  /** Returns the size in bytes. */
  long bytes();

  /** Returns the device address; 0 on the CPU. */
  long address();

  /**
   * Copies a buffer's remaining bytes to an offset, ordered after all work on the default stream.
   */
  void write(long offset, ByteBuffer source);

  /** Fills a buffer's remaining bytes from an offset, after all work on the default stream. */
  void read(long offset, ByteBuffer target);

  /** Fills everything with zeros, ordered as {@link #write}. */
  default void clear() {
    ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(bytes(), 1 << 20));
    for (long offset = 0; offset < bytes(); offset += zeros.capacity()) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), bytes() - offset));
      write(offset, zeros);
    }
  }

  /** Frees the memory, unless someone else owns it. */
  @Override
  void close();
}
