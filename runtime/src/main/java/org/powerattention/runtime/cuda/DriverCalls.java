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

/**
 * The functions of the CUDA driver that are used, as JCuda has them: each returns a {@code
 * CUresult}. A seam, so that tests can have any of them fail.
 */
interface DriverCalls {
  int cuInit(int flags);

  int cuDriverGetVersion(int[] version);

  int cuDeviceGetCount(int[] count);

  int cuDeviceGet(CUdevice device, int ordinal);

  int cuDeviceGetName(byte[] name, int length, CUdevice device);

  int cuDeviceTotalMem(long[] bytes, CUdevice device);

  int cuDeviceGetAttribute(int[] value, int attribute, CUdevice device);

  int cuDevicePrimaryCtxRetain(CUcontext context, CUdevice device);

  int cuDevicePrimaryCtxRelease(CUdevice device);

  int cuCtxPushCurrent(CUcontext context);

  int cuCtxPopCurrent(CUcontext context);

  int cuMemGetInfo(long[] free, long[] total);

  int cuMemAlloc(CUdeviceptr pointer, long bytes);

  int cuMemFree(CUdeviceptr pointer);

  int cuMemAllocAsync(CUdeviceptr pointer, long bytes, CUstream stream);

  int cuMemFreeAsync(CUdeviceptr pointer, CUstream stream);

  int cuMemcpyHtoD(CUdeviceptr target, Pointer source, long bytes);

  int cuMemcpyDtoH(Pointer target, CUdeviceptr source, long bytes);

  int cuMemcpyDtoDAsync(CUdeviceptr target, CUdeviceptr source, long bytes, CUstream stream);

  int cuMemsetD8Async(CUdeviceptr target, byte value, long bytes, CUstream stream);

  int cuStreamCreate(CUstream stream, int flags);

  int cuStreamDestroy(CUstream stream);

  int cuStreamSynchronize(CUstream stream);

  int cuStreamBeginCapture(CUstream stream, int mode);

  int cuStreamEndCapture(CUstream stream, CUgraph graph);

  int cuGraphInstantiate(CUgraphExec executable, CUgraph graph, long flags);

  int cuGraphDestroy(CUgraph graph);

  int cuGraphLaunch(CUgraphExec executable, CUstream stream);

  int cuGraphExecDestroy(CUgraphExec executable);

  int cuModuleLoadData(CUmodule module, byte[] image);

  int cuModuleUnload(CUmodule module);

  int cuModuleGetFunction(CUfunction function, CUmodule module, String name);

  int cuFuncSetAttribute(CUfunction function, int attribute, int value);

  int cuOccupancyMaxActiveBlocksPerMultiprocessor(
      int[] blocks, CUfunction function, int threads, long sharedBytes);

  int cuLaunchKernel(
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
      Pointer extra);
}
