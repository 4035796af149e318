package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.lang.reflect.Constructor;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Stream;

/**
 * A device's primary context as this thread's current one, to ask the driver what an accelerator
 * does not tell. The accelerator has to be open.
 */
final class GpuContext implements AutoCloseable {
  private final CUdevice device = new CUdevice();

  GpuContext(int ordinal) {
    CUcontext context = new CUcontext();
    check(JCudaDriver.cuDeviceGet(device, ordinal));
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device));
    check(JCudaDriver.cuCtxPushCurrent(context));
  }

  /** Returns the number of devices, once CUDA is available. */
  static int devices() {
    assertThat(Accelerator.cudaUnavailable()).isEmpty();
    int[] count = new int[1];
    check(JCudaDriver.cuDeviceGetCount(count));
    return count[0];
  }

  /** Returns the bytes of the device's memory that are in use, by whomever. */
  long usedBytes() {
    long[] free = new long[1];
    long[] total = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, total));
    return total[0] - free[0];
  }

  /**
   * Returns the milliseconds that work on two streams takes together, from the first's beginning to
   * the end of both. Only the device's time counts: nothing begins before all is enqueued.
   *
   * @param before enqueues what keeps the first stream busy meanwhile
   * @param work enqueues it
   */
  double milliseconds(Stream first, Stream second, Runnable before, Runnable work) {
    CUstream a = stream(first);
    CUstream b = stream(second);
    CUevent start = event();
    CUevent secondEnd = event();
    CUevent end = event();
    before.run();
    check(JCudaDriver.cuEventRecord(start, a));
    check(JCudaDriver.cuStreamWaitEvent(b, start, 0));
    work.run();
    int reached = JCudaDriver.cuEventQuery(start);
    check(JCudaDriver.cuEventRecord(secondEnd, b));
    check(JCudaDriver.cuStreamWaitEvent(a, secondEnd, 0));
    check(JCudaDriver.cuEventRecord(end, a));
    check(JCudaDriver.cuEventSynchronize(end));
    assertWithMessage("what came before ended before all was enqueued; the result of cuEventQuery")
        .that(reached)
        .isEqualTo(CUresult.CUDA_ERROR_NOT_READY);
    float[] milliseconds = new float[1];
    check(JCudaDriver.cuEventElapsedTime(milliseconds, start, end));
    for (CUevent event : new CUevent[] {start, secondEnd, end}) {
      check(JCudaDriver.cuEventDestroy(event));
    }
    return milliseconds[0];
  }

  /** Returns a stream by its handle, for which JCuda has no public constructor. */
  private static CUstream stream(Stream stream) {
    try {
      Constructor<CUstream> constructor = CUstream.class.getDeclaredConstructor(long.class);
      constructor.setAccessible(true);
      return constructor.newInstance(stream.handle());
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  private static CUevent event() {
    CUevent event = new CUevent();
    check(JCudaDriver.cuEventCreate(event, 0));
    return event;
  }

  private static void check(int result) {
    assertThat(result).isEqualTo(0);
  }

  @Override
  public void close() {
    check(JCudaDriver.cuCtxPopCurrent(new CUcontext()));
    check(JCudaDriver.cuDevicePrimaryCtxRelease(device));
  }
}
