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

  /** Frees the memory, unless someone else owns it. */
  @Override
  void close();
}
