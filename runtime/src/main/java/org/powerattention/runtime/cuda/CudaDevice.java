package org.powerattention.runtime.cuda;

import java.nio.charset.StandardCharsets;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;

/**
 * What a device is.
 *
 * @param handle the driver's handle
 * @param ordinal its number, from 0
 * @param model the product, such as {@code NVIDIA H200}
 * @param capability ten times the compute capability, such as 90
 * @param multiprocessors number of streaming multiprocessors
 * @param sharedBytesPerBlock most dynamic shared memory of a thread block, in bytes
 * @param memoryBytes all of its memory, in bytes
 */
record CudaDevice(
    CUdevice handle,
    int ordinal,
    String model,
    int capability,
    int multiprocessors,
    int sharedBytesPerBlock,
    long memoryBytes) {
  /** Asks the driver about a device, which must exist. */
  static CudaDevice of(DriverCalls calls, int ordinal) {
    String where = "CUDA device " + ordinal;
    CUdevice handle = new CUdevice();
    Driver.check(calls.cuDeviceGet(handle, ordinal), "cuDeviceGet", where);
    byte[] name = new byte[256];
    Driver.check(calls.cuDeviceGetName(name, name.length, handle), "cuDeviceGetName", where);
    long[] memory = new long[1];
    Driver.check(calls.cuDeviceTotalMem(memory, handle), "cuDeviceTotalMem", where);
    int major =
        attribute(
            calls, handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, where);
    int minor =
        attribute(
            calls, handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, where);
    return new CudaDevice(
        handle,
        ordinal,
        untilZero(name),
        10 * major + minor,
        attribute(
            calls, handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, where),
        attribute(
            calls,
            handle,
            CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            where),
        memory[0]);
  }

  private static int attribute(DriverCalls calls, CUdevice handle, int attribute, String where) {
    int[] value = new int[1];
    Driver.check(
        calls.cuDeviceGetAttribute(value, attribute, handle), "cuDeviceGetAttribute", where);
    return value[0];
  }

  private static String untilZero(byte[] name) {
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, StandardCharsets.UTF_8);
  }

  /** Returns it in words, such as {@code CUDA device 0 (NVIDIA H200, sm_90)}. */
  String description() {
    return "CUDA device " + ordinal + " (" + model + ", sm_" + capability + ")";
  }
}
