package org.powerattention.runtime.cuda;

import java.util.Optional;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.powerattention.runtime.CudaUnavailableException;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.PowerAttentionException;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.Memory;

/** A CUDA device, through its primary context. */
public final class CudaBackend implements Backend {
  /** Share of a device's memory that may be kept idle for reuse. */
  private static final int KEPT_SHARE = 4;

  private final CudaDevice device;
  private final String name;
  private final CudaContext context;
  private final MemoryPool pool;

  /**
   * Opens a device.
   *
   * @param ordinal its number, from 0
   * @throws CudaUnavailableException if CUDA cannot be used in this process or on this device
   * @throws IllegalArgumentException if there is no such device
   */
  public CudaBackend(int ordinal) {
    this.device = device(ordinal);
    checkCapable(device);
    this.name = device.description();
    this.context = new CudaContext(device);
    this.pool = new MemoryPool(name, device.memoryBytes() / KEPT_SHARE);
  }

  private static CudaDevice device(int ordinal) {
    int devices = CudaDriver.devices();
    if (ordinal < 0 || ordinal >= devices) {
      throw new IllegalArgumentException(
          "CUDA device " + ordinal + "; allowed: 0 to " + (devices - 1));
    }
    return CudaDevice.of(ordinal);
  }

  private static void checkCapable(CudaDevice device) {
    if (device.capability() < Target.LEAST_CAPABILITY) {
      throw new CudaUnavailableException(
          device.description()
              + " is too old: the kernels need compute capability 8.0 (Ampere) or newer",
          null);
    }
  }

  /** Returns why device 0 cannot be used, or empty if it can; looked into once. */
  public static Optional<String> unavailable() {
    return Availability.OBSTACLE;
  }

  private static final class Availability {
    static final Optional<String> OBSTACLE = find();

    private static Optional<String> find() {
      try {
        // Without a context: making one takes a good part of a second and hundreds of megabytes.
        checkCapable(device(0));
        return Optional.empty();
      } catch (PowerAttentionException e) {
        return Optional.of(String.valueOf(e.getMessage()));
      }
    }
  }

  /** Returns what the device is. */
  CudaDevice device() {
    return device;
  }

  CudaContext context() {
    return context;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public boolean isCuda() {
    return true;
  }

  @Override
  public Memory allocate(long bytes) {
    Memory memory = allocateOn(bytes, 0);
    try {
      memory.clear();
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
    return memory;
  }

  /**
   * Allocates memory for a tensor. It may be used on any stream of ours, so it is given back on the
   * default stream, which waits for all of them.
   */
  @Override
  public Memory allocateOn(long bytes, long stream) {
    return stream == 0 ? allocateAsync(bytes, 0) : allocateDetached(bytes, stream);
  }

  /**
   * Allocates a workspace for one stream: its content is undefined, closing it waits for nothing,
   * and what follows on the stream may use the memory again.
   */
  Memory allocateAsync(long bytes, long stream) {
    long address = context.callLong(() -> pool.take(bytes, stream));
    return new CudaMemory(
        this, address, bytes, () -> context.run(() -> pool.give(address, bytes, stream)));
  }

  /** Takes memory on one stream that is given back on the default stream. */
  private Memory allocateDetached(long bytes, long stream) {
    CUdeviceptr pointer = new CUdeviceptr();
    context.run(
        () ->
            Driver.check(
                JCudaDriver.cuMemAllocAsync(pointer, bytes, Handles.stream(stream)),
                "cuMemAllocAsync of " + bytes + " bytes",
                name));
    long address = Handles.value(pointer);
    return new CudaMemory(
        this,
        address,
        bytes,
        () ->
            context.run(
                () ->
                    Driver.check(
                        JCudaDriver.cuMemFreeAsync(Handles.pointer(address), Handles.stream(0)),
                        "cuMemFreeAsync",
                        name)));
  }

  @Override
  public Memory borrow(long address, long bytes) {
    return new CudaMemory(this, address, bytes, () -> {});
  }

  @Override
  public long createStream() {
    CUstream stream = new CUstream();
    // Flags 0: ordered with the default stream, on which host copies run.
    context.run(() -> Driver.check(JCudaDriver.cuStreamCreate(stream, 0), "cuStreamCreate", name));
    return Handles.value(stream);
  }

  @Override
  public void destroyStream(long stream) {
    context.run(
        () -> {
          pool.forget(stream);
          Driver.check(
              JCudaDriver.cuStreamDestroy(Handles.stream(stream)), "cuStreamDestroy", name);
        });
  }

  @Override
  public void synchronize(long stream) {
    context.run(
        () ->
            Driver.check(
                JCudaDriver.cuStreamSynchronize(Handles.stream(stream)),
                "cuStreamSynchronize",
                name));
  }

  @Override
  public LoadedProgram load(KernelProgram program) {
    return new CudaProgram(this, program);
  }

  @Override
  public void close() {
    try {
      context.run(pool::clear);
    } finally {
      context.release();
    }
  }
}
