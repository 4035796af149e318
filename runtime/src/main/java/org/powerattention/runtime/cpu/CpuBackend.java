package org.powerattention.runtime.cpu;

import java.nio.ByteBuffer;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.Memory;

/**
 * The CPU as a device. Its memory is direct buffers, its work is done when a call returns, and its
 * streams are names without a queue.
 */
public final class CpuBackend implements Backend {
  /** Opens the CPU; there is nothing to release. */
  public CpuBackend() {}

  /**
   * Returns memory that is the remaining bytes of a direct buffer, without a copy. Closing it frees
   * nothing. A read-only buffer can hold inputs only.
   *
   * @throws IllegalArgumentException if the buffer is not direct or not in native byte order
   */
  public static Memory wrap(ByteBuffer direct) {
    return CpuMemory.wrap(direct);
  }

  @Override
  public String name() {
    return "CPU ("
        + Runtime.getRuntime().availableProcessors()
        + " cores, "
        + System.getProperty("os.arch")
        + ")";
  }

  @Override
  public boolean isCuda() {
    return false;
  }

  @Override
  public Memory allocate(long bytes) {
    return CpuMemory.allocate(bytes);
  }

  @Override
  public Memory borrow(long address, long bytes) {
    throw new IllegalArgumentException(
        "CPU memory cannot be borrowed by its address; wrap it in a direct buffer and use"
            + " Accelerator.borrow(DType, ByteBuffer, long...)");
  }

  /** Returns 0: a call's work is done when it returns, so all streams are the default stream. */
  @Override
  public long createStream() {
    return 0;
  }

  @Override
  public void destroyStream(long stream) {}

  @Override
  public void synchronize(long stream) {}

  @Override
  public LoadedProgram load(KernelProgram program) {
    return new CpuProgram(program.spec());
  }

  @Override
  public void close() {}
}
