package org.powerattention.runtime.cuda;

import jcuda.driver.CUresult;
import org.powerattention.runtime.DeviceException;

/** Turns the driver's result codes into exceptions that say what to do. */
final class Driver {
  private Driver() {}

  /**
   * Checks the result of a driver call.
   *
   * @param result what it returned
   * @param call the function's name
   * @param where the device, and the kernel or program if one is involved, in words
   * @throws DeviceException if it failed
   */
  static void check(int result, String call, String where) {
    if (result != CUresult.CUDA_SUCCESS) {
      throw failure(result, call, where);
    }
  }

  private static DeviceException failure(int result, String call, String where) {
    return failure(result, call, where, remedy(result));
  }

  /** Returns the failure of a call with what there is to say of it. */
  static DeviceException failure(int result, String call, String where, String explanation) {
    String message = call + " failed on " + where + ": " + name(result) + "; " + explanation;
    return new DeviceException(message, call, result);
  }

  private static String name(int result) {
    return CUresult.stringFor(result) + " (" + result + ")";
  }

  /**
   * Returns whether a result means that the context, and with it all memory and kernels of this
   * process on the device, is lost: every later call would fail.
   */
  static boolean isFinal(int result) {
    return switch (result) {
      case CUresult.CUDA_ERROR_DEINITIALIZED,
          CUresult.CUDA_ERROR_NO_DEVICE,
          CUresult.CUDA_ERROR_INVALID_DEVICE,
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_MPS_CLIENT_TERMINATED,
          CUresult.CUDA_ERROR_UNKNOWN ->
          true;
      default -> false;
    };
  }

  /** Returns what to do about a result. */
  static String remedy(int result) {
    return switch (result) {
      case CUresult.CUDA_ERROR_OUT_OF_MEMORY ->
          "close tensors and states that are no longer needed, use a smaller batch or sequence, or"
              + " free memory that other processes hold (see nvidia-smi)";
      case CUresult.CUDA_ERROR_INVALID_VALUE, CUresult.CUDA_ERROR_INVALID_HANDLE ->
          "check that borrowed addresses and streams belong to this device and are still valid";
      case CUresult.CUDA_ERROR_INVALID_CONTEXT, CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED ->
          "the device was reset or its primary context destroyed; open a new Accelerator";
      case CUresult.CUDA_ERROR_STUB_LIBRARY ->
          "libcuda.so.1 is the toolkit's stub, not the driver's; take its directory (stubs) out of"
              + " LD_LIBRARY_PATH";
      case CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
          "a CUDA compatibility package stands before the driver's library and does not support"
              + " this GPU; take it out of LD_LIBRARY_PATH";
      case CUresult.CUDA_ERROR_INVALID_IMAGE ->
          "the compiled kernel is not one that this driver knows; update the driver";
      case CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU, CUresult.CUDA_ERROR_INVALID_PTX ->
          "the driver cannot run what this NVRTC compiles; update the driver";
      case CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION ->
          "NVRTC is newer than the driver; update the driver, or name an older NVRTC with -D"
              + NvrtcLibrary.PROPERTY;
      case CUresult.CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES ->
          "the kernel needs more registers or shared memory than the device has; declare a smaller"
              + " headDim, or use Accelerator.cpu()";
      case CUresult.CUDA_ERROR_LAUNCH_TIMEOUT ->
          "the device is also driving a display, which limits a kernel's time; use another device"
              + " or shorter sequences";
      case CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION ->
          "a kernel, perhaps an earlier one, touched memory that it must not, for instance a tensor"
              + " closed while in use or a borrowed address of too small a block; this process"
              + " cannot use the device any more: restart it, and look for the place with"
              + " compute-sanitizer";
      case CUresult.CUDA_ERROR_UNKNOWN,
          CUresult.CUDA_ERROR_NO_DEVICE,
          CUresult.CUDA_ERROR_INVALID_DEVICE,
          CUresult.CUDA_ERROR_DEINITIALIZED ->
          "the driver has lost the device: it was reset, it fell off the bus, or its driver was"
              + " unloaded; look for an Xid in the system's log (dmesg) and restart this process";
      case CUresult.CUDA_ERROR_MPS_CLIENT_TERMINATED ->
          "the MPS server ended this client, mostly for a fault of another one; restart this"
              + " process";
      case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR ->
          "the device has a hardware fault; see nvidia-smi -q and the system's log";
      case CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE ->
          "another process uses the device exclusively (compute mode, see nvidia-smi)";
      case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ->
          "the driver's library and kernel module differ in version; reboot after a driver update";
      case CUresult.CUDA_ERROR_SYSTEM_NOT_READY ->
          "the system's NVIDIA services are not running (on NVSwitch machines: the fabric manager)";
      default -> "see nvidia-smi for the device's state; a new process may help";
    };
  }
}
