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

  /**
   * Copies bytes from another block, which may be of another device, ordered after all work on the
   * default streams. The two ranges must not overlap.
   */
  default void copyFrom(Memory source, long sourceOffset, long offset, long bytes) {
    ByteBuffer piece = ByteBuffer.allocateDirect((int) Math.min(bytes, 1 << 20));
    for (long done = 0; done < bytes; done += piece.capacity()) {
      piece.clear().limit((int) Math.min(piece.capacity(), bytes - done));
      source.read(sourceOffset + done, piece);
      write(offset + done, piece.flip());
    }
  }

  /** Fills everything with zeros, ordered as {@link #write}. */
  default void clear() {
    clear(0, bytes());
  }

  /** Fills some bytes with zeros, ordered as {@link #write}. */
  default void clear(long offset, long bytes) {
    ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(bytes, 1 << 20));
    for (long done = 0; done < bytes; done += zeros.capacity()) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), bytes - done));
      write(offset + done, zeros);
    }
  }

  /** Frees the memory, unless someone else owns it. */
  @Override
  void close();
}
