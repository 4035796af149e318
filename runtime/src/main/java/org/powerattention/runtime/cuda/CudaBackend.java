package org.powerattention.runtime.cuda;

import java.util.Optional;
import java.util.function.Supplier;
import jcuda.driver.CUstream;
import org.powerattention.runtime.CudaUnavailableException;
import org.powerattention.runtime.DeviceException;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.PowerAttentionException;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.Memory;

/** A CUDA device, through its primary context. */
public final class CudaBackend implements Backend {
  /** Share of a device's memory that may be kept idle for reuse. */
  private static final int KEPT_SHARE = 4;

  private static final String TENSOR = "a tensor or a part of a state";

  private final CudaEnvironment environment;
  private final DriverCalls calls;
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
    this(ordinal, CudaEnvironment.ofProcess());
  }

  CudaBackend(int ordinal, CudaEnvironment environment) {
    this.environment = environment;
    this.calls = environment.driver().calls();
    this.device = device(environment.driver(), ordinal);
    checkCapable(device);
    this.name = device.description();
    this.context = new CudaContext(calls, device);
    this.pool = new MemoryPool(context, name, device.memoryBytes() / KEPT_SHARE);
  }

  private static CudaDevice device(CudaDriver driver, int ordinal) {
    int devices = driver.devices();
    if (ordinal < 0 || ordinal >= devices) {
      throw new IllegalArgumentException(
          "CUDA device " + ordinal + "; allowed: 0 to " + (devices - 1));
    }
    return CudaDevice.of(driver.calls(), ordinal);
  }

  private static void checkCapable(CudaDevice device) {
    if (device.capability() < Target.LEAST_CAPABILITY) {
      throw new CudaUnavailableException(
          device.description()
              + " is too old: the kernels need compute capability 8.0 (Ampere) or newer; use"
              + " another device, or Accelerator.cpu()",
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
        checkCapable(device(CudaDriver.ofProcess(), 0));
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

  DriverCalls calls() {
    return calls;
  }

  CudaEnvironment environment() {
    return environment;
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
    return stream == 0 ? allocate(bytes, 0, () -> TENSOR) : allocateDetached(bytes, stream);
  }

  /**
   * Allocates a workspace for one stream: its content is undefined, closing it waits for nothing,
   * and what follows on the stream may use the memory again.
   *
   * @param purpose says what it is for, in words, where there is too little memory
   */
  Memory allocateAsync(long bytes, long stream, Supplier<String> purpose) {
    return allocate(bytes, stream, purpose);
  }

  private Memory allocate(long bytes, long stream, Supplier<String> purpose) {
    long address = context.callLong(() -> pool.take(bytes, stream, purpose));
    return new CudaMemory(
        this, address, bytes, () -> context.release(() -> pool.give(address, bytes, stream)));
  }

  /** Takes memory on one stream that is given back on the default stream. */
  private Memory allocateDetached(long bytes, long stream) {
    long address = context.callLong(() -> pool.takeDetached(bytes, stream, () -> TENSOR));
    return new CudaMemory(
        this,
        address,
        bytes,
        () ->
            context.release(
                () ->
                    context.check(
                        calls.cuMemFreeAsync(Handles.pointer(address), Handles.stream(0)),
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
    context.run(() -> context.check(calls.cuStreamCreate(stream, 0), "cuStreamCreate", name));
    return Handles.value(stream);
  }

  @Override
  public void destroyStream(long stream) {
    context.release(
        () -> {
          pool.forget(stream);
          context.check(calls.cuStreamDestroy(Handles.stream(stream)), "cuStreamDestroy", name);
        });
  }

  @Override
  public void synchronize(long stream) {
    context.run(
        () ->
            context.check(
                calls.cuStreamSynchronize(Handles.stream(stream)), "cuStreamSynchronize", name));
  }

  @Override
  public Optional<DeviceException> loss() {
    return Optional.ofNullable(context.loss());
  }

  @Override
  public LoadedProgram load(KernelProgram program) {
    return new CudaProgram(this, program);
  }

  @Override
  public void close() {
    try {
      context.release(pool::clear);
    } finally {
      context.close();
    }
  }
}
