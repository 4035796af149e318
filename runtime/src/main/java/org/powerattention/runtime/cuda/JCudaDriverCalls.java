package org.powerattention.runtime.cuda;

import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** The real calls. */
final class JCudaDriverCalls implements DriverCalls {
  @Override
  public int cuInit(int flags) {
    return JCudaDriver.cuInit(flags);
  }

  @Override
  public int cuDriverGetVersion(int[] version) {
    return JCudaDriver.cuDriverGetVersion(version);
  }

  @Override
  public int cuDeviceGetCount(int[] count) {
    return JCudaDriver.cuDeviceGetCount(count);
  }

  @Override
  public int cuDeviceGet(CUdevice device, int ordinal) {
    return JCudaDriver.cuDeviceGet(device, ordinal);
  }

  @Override
  public int cuDeviceGetName(byte[] name, int length, CUdevice device) {
    return JCudaDriver.cuDeviceGetName(name, length, device);
  }

  @Override
  public int cuDeviceTotalMem(long[] bytes, CUdevice device) {
    return JCudaDriver.cuDeviceTotalMem(bytes, device);
  }

  @Override
  public int cuDeviceGetAttribute(int[] value, int attribute, CUdevice device) {
    return JCudaDriver.cuDeviceGetAttribute(value, attribute, device);
  }

  @Override
  public int cuDevicePrimaryCtxRetain(CUcontext context, CUdevice device) {
    return JCudaDriver.cuDevicePrimaryCtxRetain(context, device);
  }

  @Override
  public int cuDevicePrimaryCtxRelease(CUdevice device) {
    return JCudaDriver.cuDevicePrimaryCtxRelease(device);
  }

  @Override
  public int cuCtxPushCurrent(CUcontext context) {
    return JCudaDriver.cuCtxPushCurrent(context);
  }

  @Override
  public int cuCtxPopCurrent(CUcontext context) {
    return JCudaDriver.cuCtxPopCurrent(context);
  }

  @Override
  public int cuMemGetInfo(long[] free, long[] total) {
    return JCudaDriver.cuMemGetInfo(free, total);
  }

  @Override
  public int cuMemAlloc(CUdeviceptr pointer, long bytes) {
    return JCudaDriver.cuMemAlloc(pointer, bytes);
  }

  @Override
  public int cuMemFree(CUdeviceptr pointer) {
    return JCudaDriver.cuMemFree(pointer);
  }

  @Override
  public int cuMemAllocAsync(CUdeviceptr pointer, long bytes, CUstream stream) {
    return JCudaDriver.cuMemAllocAsync(pointer, bytes, stream);
  }

  @Override
  public int cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) {
    return JCudaDriver.cuMemFreeAsync(pointer, stream);
  }

  @Override
  public int cuMemcpyHtoD(CUdeviceptr target, Pointer source, long bytes) {
    return JCudaDriver.cuMemcpyHtoD(target, source, bytes);
  }

  @Override
  public int cuMemcpyDtoH(Pointer target, CUdeviceptr source, long bytes) {
    return JCudaDriver.cuMemcpyDtoH(target, source, bytes);
  }

  @Override
  public int cuMemcpyDtoDAsync(
      CUdeviceptr target, CUdeviceptr source, long bytes, CUstream stream) {
    return JCudaDriver.cuMemcpyDtoDAsync(target, source, bytes, stream);
  }

  @Override
  public int cuMemsetD8Async(CUdeviceptr target, byte value, long bytes, CUstream stream) {
    return JCudaDriver.cuMemsetD8Async(target, value, bytes, stream);
  }

  @Override
  public int cuStreamCreate(CUstream stream, int flags) {
    return JCudaDriver.cuStreamCreate(stream, flags);
  }

  @Override
  public int cuStreamDestroy(CUstream stream) {
    return JCudaDriver.cuStreamDestroy(stream);
  }

  @Override
  public int cuStreamSynchronize(CUstream stream) {
    return JCudaDriver.cuStreamSynchronize(stream);
  }

  @Override
  public int cuStreamBeginCapture(CUstream stream, int mode) {
    return JCudaDriver.cuStreamBeginCapture(stream, mode);
  }

  @Override
  public int cuStreamEndCapture(CUstream stream, CUgraph graph) {
    return JCudaDriver.cuStreamEndCapture(stream, graph);
  }

  @Override
  public int cuGraphInstantiate(CUgraphExec executable, CUgraph graph, long flags) {
    return JCudaDriver.cuGraphInstantiate(executable, graph, flags);
  }

  @Override
  public int cuGraphDestroy(CUgraph graph) {
    return JCudaDriver.cuGraphDestroy(graph);
  }

  @Override
  public int cuGraphLaunch(CUgraphExec executable, CUstream stream) {
    return JCudaDriver.cuGraphLaunch(executable, stream);
  }

  @Override
  public int cuGraphExecDestroy(CUgraphExec executable) {
    return JCudaDriver.cuGraphExecDestroy(executable);
  }

  @Override
  public int cuModuleLoadData(CUmodule module, byte[] image) {
    return JCudaDriver.cuModuleLoadData(module, image);
  }

  @Override
  public int cuModuleUnload(CUmodule module) {
    return JCudaDriver.cuModuleUnload(module);
  }

  @Override
  public int cuModuleGetFunction(CUfunction function, CUmodule module, String name) {
    return JCudaDriver.cuModuleGetFunction(function, module, name);
  }

  @Override
  public int cuFuncSetAttribute(CUfunction function, int attribute, int value) {
    return JCudaDriver.cuFuncSetAttribute(function, attribute, value);
  }

  @Override
  public int cuOccupancyMaxActiveBlocksPerMultiprocessor(
      int[] blocks, CUfunction function, int threads, long sharedBytes) {
    return JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks, function, threads, sharedBytes);
  }

  @Override
  public int cuLaunchKernel(
      CUfunction function,
      int gridX,
      int gridY,
      int gridZ,
      int blockX,
      int blockY,
      int blockZ,
      int sharedBytes,
      CUstream stream,
      Pointer parameters,
      Pointer extra) {
    return JCudaDriver.cuLaunchKernel(
        function,
        gridX,
        gridY,
        gridZ,
        blockX,
        blockY,
        blockZ,
        sharedBytes,
        stream,
        parameters,
        extra);
  }
}
