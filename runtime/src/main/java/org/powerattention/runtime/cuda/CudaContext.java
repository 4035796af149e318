package org.powerattention.runtime.cuda;

import java.lang.System.Logger.Level;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import jcuda.driver.CUcontext;
import jcuda.driver.CUresult;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.DeviceException;
import org.powerattention.runtime.spi.Log;

/**
 * A device's primary context, which other CUDA libraries of the process share. A thread has it as
 * its current one just while it runs an action here, so that theirs stay undisturbed.
 */
final class CudaContext {
  private final DriverCalls calls;
  private final CudaDevice device;
  private final String where;
  private final CUcontext context = new CUcontext();

  // What leaving a context yields: nobody reads it, and a new one each time would be garbage.
  private static final ThreadLocal<CUcontext> LEFT = ThreadLocal.withInitial(CUcontext::new);

  // The first failure after which the context is of no use; set once.
  private volatile @Nullable DeviceException loss;

  CudaContext(DriverCalls calls, CudaDevice device) {
    this.calls = calls;
    this.device = device;
    this.where = device.description();
    Driver.check(
        calls.cuDevicePrimaryCtxRetain(context, device.handle()),
        "cuDevicePrimaryCtxRetain",
        where);
  }

  /** Runs an action with this context as the thread's current one. */
  void run(Runnable action) {
    push();
    try {
      action.run();
    } finally {
      pop();
    }
  }

  /** Runs an action with a result with this context as the thread's current one. */
  <T> T call(Supplier<T> action) {
    push();
    try {
      return action.get();
    } finally {
      pop();
    }
  }

  /** Runs an action with a number as result with this context as the thread's current one. */
  long callLong(LongSupplier action) {
    push();
    try {
      return action.getAsLong();
    } finally {
      pop();
    }
  }

  /** Runs an action that frees something, which needs no freeing once the context is lost. */
  void release(Runnable action) {
    if (loss == null) {
      run(action);
    }
  }

  /** Returns the failure by which the context was lost, if it was. */
  @Nullable DeviceException loss() {
    return loss;
  }

  /**
   * Checks the result of a call in this context, which may be the end of it.
   *
   * @param call the function's name
   * @param where the device, and the kernel or program if one is involved, in words
   * @throws DeviceException if it failed
   */
  void check(int result, String call, String where) {
    if (result != CUresult.CUDA_SUCCESS) {
      fail(result, call, where, Driver.remedy(result));
    }
  }

  /** Throws the failure of a call in this context with what there is to say of it. */
  void fail(int result, String call, String where, String explanation) {
    DeviceException failure = Driver.failure(result, call, where, explanation);
    // Noted before anything is closed on the way out.
    if (loss == null && Driver.isFinal(result)) {
      loss = failure;
      Log.get()
          .log(Level.ERROR, "{0} is lost to this process: {1}", this.where, failure.getMessage());
    }
    throw failure;
  }

  /**
   * Makes this context the thread's current one until {@link #pop}, for calls that must not make an
   * object.
   */
  void push() {
    DeviceException lost = loss;
    if (lost != null) {
      throw new DeviceException(
          where + " is lost to this process since an earlier failure: " + lost.getMessage(), lost);
    }
    check(calls.cuCtxPushCurrent(context), "cuCtxPushCurrent", where);
  }

  /** Undoes {@link #push}. A failure is not reported: it would hide the action's own. */
  void pop() {
    int ignored = calls.cuCtxPopCurrent(LEFT.get());
  }

  DriverCalls calls() {
    return calls;
  }

  /** Gives the context back to the driver. Of a lost one, what that returns tells nothing new. */
  void close() {
    int result = calls.cuDevicePrimaryCtxRelease(device.handle());
    if (loss == null) {
      Driver.check(result, "cuDevicePrimaryCtxRelease", where);
    }
  }
}
