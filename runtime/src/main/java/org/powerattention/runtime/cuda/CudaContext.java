package org.powerattention.runtime.cuda;

import java.util.function.LongSupplier;
import java.util.function.Supplier;
import jcuda.driver.CUcontext;
import jcuda.driver.JCudaDriver;

/**
 * A device's primary context, which other CUDA libraries of the process share. A thread has it as
 * its current one just while it runs an action here, so that theirs stay undisturbed.
 */
final class CudaContext {
  private final CudaDevice device;
  private final String where;
  private final CUcontext context = new CUcontext();

  // What leaving a context yields: nobody reads it, and a new one each time would be garbage.
  private static final ThreadLocal<CUcontext> LEFT = ThreadLocal.withInitial(CUcontext::new);

  CudaContext(CudaDevice device) {
    this.device = device;
    this.where = device.description();
    Driver.check(
        JCudaDriver.cuDevicePrimaryCtxRetain(context, device.handle()),
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

  /**
   * Makes this context the thread's current one until {@link #pop}, for calls that must not make an
   * object.
   */
  void push() {
    Driver.check(JCudaDriver.cuCtxPushCurrent(context), "cuCtxPushCurrent", where);
  }

  /** Undoes {@link #push}. A failure is not reported: it would hide the action's own. */
  void pop() {
    int ignored = JCudaDriver.cuCtxPopCurrent(LEFT.get());
  }

  /** Gives the context back to the driver. */
  void release() {
    Driver.check(
        JCudaDriver.cuDevicePrimaryCtxRelease(device.handle()), "cuDevicePrimaryCtxRelease", where);
  }
}
