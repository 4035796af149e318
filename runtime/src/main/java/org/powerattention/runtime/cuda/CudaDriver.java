package org.powerattention.runtime.cuda;

import jcuda.driver.CUresult;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CudaUnavailableException;
import org.powerattention.runtime.PowerAttentionException;

/** The driver of this process: loaded and initialised once, or the reason why it cannot be. */
final class CudaDriver {
  /**
   * Least CUDA version of the driver, as it counts: 12.0, the first that runs NVRTC 12's cubins.
   */
  private static final int LEAST_VERSION = 12_000;

  private final DriverCalls calls;
  private final int devices;
  private final int version;
  private final @Nullable PowerAttentionException obstacle;

  private CudaDriver(
      DriverCalls calls, int devices, int version, @Nullable PowerAttentionException obstacle) {
    this.calls = calls;
    this.devices = devices;
    this.version = version;
    this.obstacle = obstacle;
  }

  private static final class Probe {
    static final CudaDriver RESULT =
        probe(NativeLibraries::loadDriverBindings, new JCudaDriverCalls());
  }

  /** Returns the driver of this process, which is looked for once. */
  static CudaDriver ofProcess() {
    return Probe.RESULT;
  }

  /**
   * Returns the number of devices, at least 1.
   *
   * @throws CudaUnavailableException if CUDA cannot be used in this process
   */
  int devices() {
    if (obstacle != null) {
      // A new one for each caller's stack trace; the first stays as the cause.
      throw new CudaUnavailableException(String.valueOf(obstacle.getMessage()), obstacle);
    }
    return devices;
  }

  /** Returns the CUDA version that it supports, such as {@code 12.8}. */
  String version() {
    return version / 1000 + "." + version % 1000 / 10;
  }

  DriverCalls calls() {
    return calls;
  }

  /**
   * Looks for the driver.
   *
   * @param bindings loads what the calls need
   */
  static CudaDriver probe(Runnable bindings, DriverCalls calls) {
    try {
      bindings.run();
      return initialize(calls);
    } catch (PowerAttentionException e) {
      return new CudaDriver(calls, 0, 0, e);
    }
  }

  private static CudaDriver initialize(DriverCalls calls) {
    int result = calls.cuInit(0);
    if (result != CUresult.CUDA_SUCCESS && result != CUresult.CUDA_ERROR_NO_DEVICE) {
      throw new CudaUnavailableException(
          "the NVIDIA driver does not start: cuInit returned "
              + CUresult.stringFor(result)
              + " ("
              + result
              + "); "
              + Driver.remedy(result),
          null);
    }
    int[] count = new int[1];
    if (result == CUresult.CUDA_SUCCESS) {
      Driver.check(calls.cuDeviceGetCount(count), "cuDeviceGetCount", "the driver");
    }
    if (count[0] == 0) {
      String visible = System.getenv("CUDA_VISIBLE_DEVICES");
      throw new CudaUnavailableException(
          "the NVIDIA driver sees no CUDA device"
              + (visible == null
                  ? "; check nvidia-smi"
                  : ", with CUDA_VISIBLE_DEVICES set to '" + visible + "'"),
          null);
    }
    int[] version = new int[1];
    Driver.check(calls.cuDriverGetVersion(version), "cuDriverGetVersion", "the driver");
    if (version[0] < LEAST_VERSION) {
      throw new CudaUnavailableException(
          "the NVIDIA driver supports CUDA "
              + version[0] / 1000
              + "."
              + version[0] % 1000 / 10
              + "; needed: 12.0 or newer, that is driver 525 or newer; update it",
          null);
    }
    return new CudaDriver(calls, count[0], version[0], null);
  }
}
