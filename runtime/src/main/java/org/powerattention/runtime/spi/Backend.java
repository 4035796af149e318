package org.powerattention.runtime.spi;

import java.util.Optional;
import org.powerattention.runtime.DeviceException;
import org.powerattention.runtime.KernelProgram;

/** One device: its memory, its streams and the programs loaded on it. Safe for many threads. */
public interface Backend extends AutoCloseable {
  /** Returns the device in words, such as {@code CUDA device 0 (NVIDIA H200, sm_90)}. */
  String name();

  /** Returns whether this is a CUDA device, whose memory has addresses. */
  boolean isCuda();

  /** Allocates memory filled with zeros. */
  Memory allocate(long bytes);

  /**
   * Allocates memory with undefined content, for work that is ordered on a stream; where the device
   * has no stream-ordered allocation, it does as {@link #allocate}.
   */
  default Memory allocateOn(long bytes, long stream) {
    return allocate(bytes);
  }

  /** Returns memory at a device address that someone else owns; CUDA only. */
  Memory borrow(long address, long bytes);

  /** Creates a stream and returns its handle. */
  long createStream();

  /** Destroys a stream that {@link #createStream} returned. */
  void destroyStream(long stream);

  /** Waits for all work on a stream; 0 is the default stream. */
  void synchronize(long stream);

  /** Returns the failure by which the device was lost to this process, if it was. */
  default Optional<DeviceException> loss() {
    return Optional.empty();
  }

  /** Loads a program; compiling it first if need be. */
  LoadedProgram load(KernelProgram program);

  /** Releases the device. Memory and programs must have been closed before. */
  @Override
  void close();
}
