package org.powerattention.examples.benchmarks;

import java.util.Arrays;
import java.util.function.IntConsumer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Tensor;

/** Times work on the default stream of CUDA device 0 by events. One thread's. */
final class GpuClock implements AutoCloseable {
  private static final long COPY_NUMBERS = 1L << 28; // of 4 bytes: 1 GiB

  private final CUdevice device = new CUdevice();
  private final CUstream defaultStream = new CUstream();

  /** Makes the primary context, which the accelerator of device 0 has too, the thread's own. */
  GpuClock() {
    check(JCudaDriver.cuInit(0));
    check(JCudaDriver.cuDeviceGet(device, 0));
    CUcontext context = new CUcontext();
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device));
    check(JCudaDriver.cuCtxPushCurrent(context));
  }

  /**
   * Returns the milliseconds of each of a number of spans of work, enqueued without waiting in
   * between, so that launches overlap with the work as they do in a model.
   *
   * @param span enqueues a span, given its number
   */
  double[] spans(int count, IntConsumer span) {
    CUevent[] events = new CUevent[count + 1];
    try {
      for (int i = 0; i <= count; i++) {
        events[i] = new CUevent();
        check(JCudaDriver.cuEventCreate(events[i], 0));
      }
      check(JCudaDriver.cuEventRecord(events[0], defaultStream));
      for (int i = 0; i < count; i++) {
        span.accept(i);
        check(JCudaDriver.cuEventRecord(events[i + 1], defaultStream));
      }
      check(JCudaDriver.cuEventSynchronize(events[count]));
      double[] times = new double[count];
      float[] milliseconds = new float[1];
      for (int i = 0; i < count; i++) {
        check(JCudaDriver.cuEventElapsedTime(milliseconds, events[i], events[i + 1]));
        times[i] = milliseconds[0];
      }
      return times;
    } finally {
      for (CUevent event : events) {
        if (event != null) {
          int ignored = JCudaDriver.cuEventDestroy(event);
        }
      }
    }
  }

  /**
   * Returns the bytes per second of a large copy within device memory, reads and writes counted.
   */
  double copyBytesPerSecond(Accelerator accelerator) {
    try (Tensor from = accelerator.zeros(DType.FP32, COPY_NUMBERS);
        Tensor to = accelerator.zeros(DType.FP32, COPY_NUMBERS)) {
      CUdeviceptr source = new CUdeviceptr().withByteOffset(from.address());
      CUdeviceptr target = new CUdeviceptr().withByteOffset(to.address());
      IntConsumer copy =
          i ->
              check(
                  JCudaDriver.cuMemcpyDtoDAsync(
                      target, source, COPY_NUMBERS * Float.BYTES, defaultStream));
      spans(2, copy);
      double milliseconds = median(spans(15, copy));
      return 2.0 * COPY_NUMBERS * Float.BYTES / (milliseconds / 1e3);
    }
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  private static void check(int result) {
    if (result != CUresult.CUDA_SUCCESS) {
      throw new IllegalStateException("CUDA call failed: " + CUresult.stringFor(result));
    }
  }

  @Override
  public void close() {
    check(JCudaDriver.cuCtxPopCurrent(new CUcontext()));
    check(JCudaDriver.cuDevicePrimaryCtxRelease(device));
  }
}
