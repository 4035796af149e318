package org.powerattention.runtime;

import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.cpu.CpuBackend;
import org.powerattention.runtime.cuda.CudaBackend;
import org.powerattention.runtime.events.Events;
import org.powerattention.runtime.events.WaitEvent;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.Log;
import org.powerattention.runtime.spi.Memory;

/**
 * A device that runs operators: a CUDA GPU or the CPU. Tensors, streams, states and operators
 * belong to the accelerator that made them and work with no other; closing it frees all of them.
 * Safe for many threads.
 *
 * <pre>{@code
 * try (Accelerator device = Accelerator.best();
 *     Tensor q = device.tensor(DType.BF16, values, batch, tokens, heads, 64)) {
 *   ...
 * }
 * }</pre>
 *
 * <p>What is never closed is freed when it has become unreachable, with a warning to the {@link
 * System.Logger} {@code org.powerattention}.
 */
public final class Accelerator implements AutoCloseable {
  private static final AtomicBoolean CPU_REPORTED = new AtomicBoolean();

  /** Bytes of the buffer through which host copies pass in pieces. */
  private static final int STAGING_BYTES = 4 << 20;

  private final Backend backend;
  private final Lifetime.Siblings held = new Lifetime.Siblings();
  private final Lifetime lifetime;
  private final AtomicReference<@Nullable ByteBuffer> staging = new AtomicReference<>();

  Accelerator(Backend backend) {
    this.backend = backend;
    this.lifetime =
        Lifetime.start(
            this, backend.name(), true, new Shutdown(backend, held), new Lifetime.Siblings());
  }

  /**
   * Returns CUDA device 0 where it can be used, else the CPU; then why not is logged once, at level
   * INFO.
   */
  public static Accelerator best() {
    Optional<String> obstacle = cudaUnavailable();
    if (obstacle.isEmpty()) {
      return cuda(0);
    }
    if (CPU_REPORTED.compareAndSet(false, true)) {
      Log.get().log(Level.INFO, "Running on the CPU: {0}", obstacle.get());
    }
    return cpu();
  }

  /**
   * Returns a CUDA device.
   *
   * @param ordinal number of the device as the driver counts, from 0
   * @throws CudaUnavailableException if CUDA cannot be used here, for the reason that {@link
   *     #cudaUnavailable} gives
   * @throws IllegalArgumentException if there is no such device
   * @throws DeviceException if the device cannot be opened
   */
  public static Accelerator cuda(int ordinal) {
    return new Accelerator(new CudaBackend(ordinal));
  }

  /** Returns the CPU. */
  public static Accelerator cpu() {
    return new Accelerator(new CpuBackend());
  }

  /**
   * Returns why CUDA device 0 cannot be used in this process, in words and with the remedy, or
   * empty if it can. Looked into once.
   */
  public static Optional<String> cudaUnavailable() {
    return CudaBackend.unavailable();
  }

  /** Returns the device in words, such as {@code CUDA device 0 (NVIDIA H200, sm_90)}. */
  public String name() {
    return backend.name();
  }

  /** Returns whether this is a CUDA device. */
  public boolean isCuda() {
    return backend.isCuda();
  }

  /**
   * Returns a new tensor of zeros.
   *
   * @throws IllegalArgumentException if a size is less than 1, or they multiply to too many
   */
  public Tensor zeros(DType dtype, long... shape) {
    checkOpen();
    Layout layout = Layout.contiguous(shape);
    return tensor(backend.allocate(layout.elements() * dtype.bytes()), true, dtype, layout);
  }

  /**
   * Returns a new tensor holding values, each rounded to the nearest number of the dtype, ties to
   * even.
   *
   * @param values the elements in row-major order
   * @throws IllegalArgumentException if there is not exactly one value per element
   */
  public Tensor tensor(DType dtype, float[] values, long... shape) {
    Layout layout = Layout.contiguous(shape);
    if (values.length != layout.elements()) {
      throw new IllegalArgumentException(
          values.length
              + " values given for shape "
              + layout
              + "; needed: exactly "
              + layout.elements());
    }
    Tensor tensor = allocateFor(null, dtype, layout);
    try {
      tensor.copyFrom(values);
    } catch (RuntimeException e) {
      tensor.close();
      throw e;
    }
    return tensor;
  }

  /**
   * Returns a contiguous tensor over CUDA memory that someone else owns; closing it frees nothing.
   *
   * @param address device address of the first element, a multiple of the dtype's size
   * @throws IllegalArgumentException if the address is 0 or not aligned, or a size is less than 1
   * @throws UnsupportedOperationException on the CPU
   */
  public Tensor borrow(DType dtype, long address, long... shape) {
    return borrow(dtype, address, Layout.contiguous(shape));
  }

  /**
   * Returns a tensor over CUDA memory that someone else owns; closing it frees nothing.
   *
   * @param address device address of the first element, a multiple of the dtype's size
   * @param strides elements from one index to the next, per dimension; 0 and more
   * @throws IllegalArgumentException if the address is 0 or not aligned, a size is less than 1, or
   *     a stride is negative
   * @throws UnsupportedOperationException on the CPU
   */
  public Tensor borrow(DType dtype, long address, long[] shape, long[] strides) {
    return borrow(dtype, address, Layout.strided(shape, strides));
  }

  /**
   * Returns a contiguous tensor over a buffer's remaining bytes, without a copy: what one writes,
   * the other reads. The CPU only.
   *
   * @param direct a direct buffer in native byte order, at least as large as the tensor
   * @throws IllegalArgumentException if it is not direct, not in native order, read-only, or too
   *     small
   * @throws UnsupportedOperationException on a CUDA device
   */
  public Tensor borrow(DType dtype, ByteBuffer direct, long... shape) {
    checkOpen();
    if (isCuda()) {
      throw new UnsupportedOperationException(
          name() + " cannot use host memory in place; use tensor(...) or copyFrom(...)");
    }
    Layout layout = Layout.contiguous(shape);
    if (!direct.isDirect()
        || direct.isReadOnly()
        || direct.order() != ByteOrder.nativeOrder()
        || direct.remaining() < layout.elements() * dtype.bytes()) {
      throw new IllegalArgumentException(
          direct
              + " in "
              + direct.order()
              + " order given for a "
              + dtype
              + " tensor "
              + layout
              + "; needed: a writable direct buffer in native order with at least "
              + layout.elements() * dtype.bytes()
              + " bytes remaining");
    }
    Memory memory = CpuBackend.wrap(direct.slice().order(ByteOrder.nativeOrder()));
    return tensor(memory, false, dtype, layout);
  }

  /** Returns a new stream. */
  public Stream newStream() {
    checkOpen();
    return new Stream(this, backend.createStream(), true);
  }

  /**
   * Returns a stream that someone else owns; closing it does not destroy it.
   *
   * @param handle a {@code CUstream} of this device's primary context; 0 is the default stream
   * @throws UnsupportedOperationException on the CPU
   */
  public Stream borrowStream(long handle) {
    checkOpen();
    checkCuda("borrowStream");
    return new Stream(this, handle, false);
  }

  /**
   * Returns the failure by which the device was lost to this process: a kernel that touched memory
   * that it must not, a fault of the hardware, a reset. From then on every use of this accelerator
   * is refused with a {@link DeviceException} whose cause is that failure; closing it, and what it
   * made, works and frees what is on the host. The JVM and other accelerators go on; the same
   * device again takes a new process. Empty while the device works, and always on the CPU.
   */
  public Optional<DeviceException> loss() {
    return backend.loss();
  }

  /** Waits for all work on the default stream and on streams of {@link #newStream}. */
  public void synchronize() {
    checkOpen();
    await(0);
  }

  /**
   * Waits for its work and frees everything that it made and that is still open. Closing again does
   * nothing.
   */
  @Override
  public void close() {
    lifetime.close();
  }

  /** Returns {@link #name}. */
  @Override
  public String toString() {
    return name();
  }

  Backend backend() {
    return backend;
  }

  void checkOpen() {
    lifetime.checkOpen();
  }

  void checkCuda(String method) {
    if (!isCuda()) {
      throw new UnsupportedOperationException(
          method + " needs a CUDA device; " + name() + " has no device addresses or streams");
    }
  }

  /** Waits for all work on a stream. */
  void await(long stream) {
    WaitEvent event = Events.startWait();
    try {
      backend.synchronize(stream);
    } finally {
      if (event != null) {
        event.device = name();
        event.stream = stream;
        event.commit();
      }
    }
  }

  /** Starts the lifetime of something that ends with this accelerator at the latest. */
  Lifetime hold(Object owner, String what, boolean owned, Runnable release) {
    return Lifetime.start(owner, what + " on " + name(), owned, release, held);
  }

  private Tensor tensor(Memory memory, boolean owned, DType dtype, Layout layout) {
    Storage storage = new Storage(this, memory, owned, dtype + " tensor " + layout);
    return new Tensor(storage, dtype, layout, false);
  }

  ByteBuffer takeStaging() {
    ByteBuffer kept = staging.getAndSet(null);
    return kept != null
        ? kept
        : ByteBuffer.allocateDirect(STAGING_BYTES).order(ByteOrder.nativeOrder());
  }

  void returnStaging(ByteBuffer buffer) {
    staging.set(buffer);
  }

  /** Returns a contiguous tensor of undefined content for work on a stream. */
  Tensor allocateFor(@Nullable Stream stream, DType dtype, Layout layout) {
    checkOpen();
    long handle = stream == null ? 0 : stream.handle();
    Memory memory = backend.allocateOn(layout.elements() * dtype.bytes(), handle);
    return tensor(memory, true, dtype, layout);
  }

  private Tensor borrow(DType dtype, long address, Layout layout) {
    checkOpen();
    checkCuda("borrow(dtype, address, ...)");
    if (address == 0 || address % dtype.bytes() != 0) {
      throw new IllegalArgumentException(
          "address = 0x"
              + Long.toHexString(address)
              + "; allowed: device addresses that are a multiple of "
              + dtype.bytes()
              + " bytes, the size of a "
              + dtype);
    }
    return tensor(backend.borrow(address, layout.end() * dtype.bytes()), false, dtype, layout);
  }

  /** Frees all that is held, then the device. It does not refer to the accelerator. */
  private record Shutdown(Backend backend, Lifetime.Siblings held) implements Runnable {
    @Override
    public void run() {
      try {
        if (backend.loss().isEmpty()) {
          backend.synchronize(0);
        }
      } finally {
        try {
          held.close();
        } finally {
          backend.close();
        }
      }
    }
  }
}
