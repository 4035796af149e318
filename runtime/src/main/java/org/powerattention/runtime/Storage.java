package org.powerattention.runtime;

import java.nio.ByteBuffer;
import org.powerattention.runtime.spi.Memory;

/**
 * A block of memory, shared by a tensor and all its views; it is freed when none can be reached.
 */
final class Storage {
  private final Accelerator accelerator;
  private final Memory memory;
  private final Lifetime lifetime;

  Storage(Accelerator accelerator, Memory memory, boolean owned, String what) {
    this.accelerator = accelerator;
    this.memory = memory;
    this.lifetime = accelerator.hold(this, what, owned, memory::close);
  }

  Accelerator accelerator() {
    return accelerator;
  }

  /** Returns the memory, which has not been freed. */
  Memory memory() {
    lifetime.checkOpen();
    return memory;
  }

  void checkOpen() {
    lifetime.checkOpen();
  }

  /** Returns a direct buffer for pieces of host copies; hand it back afterwards. */
  ByteBuffer takeStaging() {
    return accelerator.takeStaging();
  }

  void returnStaging(ByteBuffer staging) {
    accelerator.returnStaging(staging);
  }

  void close() {
    lifetime.close();
  }
}
