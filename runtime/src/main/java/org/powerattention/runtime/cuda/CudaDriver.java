package org.powerattention.runtime.cuda;

import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CudaUnavailableException;

/** The driver of this process: loaded and initialised once, or the reason why it cannot be. */
final class CudaDriver {
  /**
   * Least CUDA version of the driver, as it counts: 12.0, the first that runs NVRTC 12's cubins.
   */
  private static final int LEAST_VERSION = 12_000;

  private final int devices;
  private final @Nullable CudaUnavailableException obstacle;

  private CudaDriver(int devices, @Nullable CudaUnavailableException obstacle) {
    this.devices = devices;
    this.obstacle = obstacle;
  }

  private static final class Probe {
    static final CudaDriver RESULT = probe();
  }

  /**
   * Returns the number of devices, at least 1.
   *
   * @throws CudaUnavailableException if CUDA cannot be used in this process
   */
  static int devices() {
    CudaUnavailableException obstacle = Probe.RESULT.obstacle;
    if (obstacle != null) {
      // A new one for each caller's stack trace; the first stays as the cause.
      throw new CudaUnavailableException(obstacle.getMessage(), obstacle);
    }
    return Probe.RESULT.devices;
  }

  private static CudaDriver probe() {
    try {
      NativeLibraries.loadDriverBindings();
      return new CudaDriver(initialize(), null);
    } catch (CudaUnavailableException e) {
      return new CudaDriver(0, e);
    }
  }

  private static int initialize() {
    int result = JCudaDriver.cuInit(0);
    if (result != CUresult.CUDA_SUCCESS && result != CUresult.CUDA_ERROR_NO_DEVICE) {
      throw new CudaUnavailableException(
          "the NVIDIA driver does not start: cuInit returned "
              + CUresult.stringFor(result)
              + "; "
              + Driver.remedy(result),
          null);
    }
    int[] count = new int[1];
    if (result == CUresult.CUDA_SUCCESS) {
      Driver.check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount", "the driver");
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
    Driver.check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion", "the driver");
    if (version[0] < LEAST_VERSION) {
      throw new CudaUnavailableException(
          "the NVIDIA driver supports CUDA "
              + version[0] / 1000
              + "."
              + version[0] % 1000 / 10
              + "; needed: 12.0 or newer, that is driver 525 or newer; update it",
          null);
    }
    return count[0];
  }
}
