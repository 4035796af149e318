package org.powerattention.runtime.cuda;

import java.util.function.Supplier;

/**
 * What a device is used with.
 *
 * @param driver the driver
 * @param nvrtc looks for the compiler when it is first needed
 * @param cache where compiled kernels are kept
 */
record CudaEnvironment(CudaDriver driver, Supplier<Nvrtc> nvrtc, KernelCache cache) {
  /** Returns what this process has. */
  static CudaEnvironment ofProcess() {
    return new CudaEnvironment(CudaDriver.ofProcess(), Nvrtc::get, KernelCache.shared());
  }
}
