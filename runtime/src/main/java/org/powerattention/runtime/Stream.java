package org.powerattention.runtime;

import org.powerattention.runtime.spi.Backend;

/**
 * An order of execution on an accelerator: calls on one stream run one after the other, calls on
 * different streams may run at the same time. On the CPU every call has finished when it returns.
 *
 * <p>A stream from {@link Accelerator#newStream} is ordered with the default stream in both
 * directions (it is a <em>blocking</em> stream in CUDA's terms), so host copies, which run on the
 * default stream, see its results without a {@link #synchronize}. A {@linkplain
 * Accelerator#borrowStream borrowed} one may be of the other kind; then its owner has to
 * synchronise before a copy, and before closing a tensor in use on it.
 */
public final class Stream implements AutoCloseable {
  private final Accelerator accelerator;
  private final long handle;
  private final Lifetime lifetime;

  Stream(Accelerator accelerator, long handle, boolean owned) {
    this.accelerator = accelerator;
    this.handle = handle;
    Backend backend = accelerator.backend();
    Runnable release = owned ? () -> backend.destroyStream(handle) : () -> {};
    this.lifetime = accelerator.hold(this, "stream", owned, release);
  }

  /** Returns the accelerator that it belongs to. */
  public Accelerator accelerator() {
    return accelerator;
  }

  /** Returns the {@code CUstream} handle; 0 on the CPU. */
  public long handle() {
    lifetime.checkOpen();
    return handle;
  }

  /** Waits until everything submitted to this stream has finished. */
  public void synchronize() {
    accelerator.await(handle());
  }

  /** Destroys the stream once its work has finished, unless it is borrowed. */
  @Override
  public void close() {
    lifetime.close();
  }
}
