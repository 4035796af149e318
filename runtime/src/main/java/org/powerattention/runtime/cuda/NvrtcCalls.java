package org.powerattention.runtime.cuda;

import jcuda.nvrtc.nvrtcProgram;

/**
 * The functions of NVRTC that are used, as JCuda has them: each returns an {@code nvrtcResult}. A
 * seam, so that tests can have any of them fail.
 */
interface NvrtcCalls {
  int nvrtcVersion(int[] major, int[] minor);

  int nvrtcGetNumSupportedArchs(int[] count);

  int nvrtcGetSupportedArchs(int[] architectures);

  int nvrtcCreateProgram(nvrtcProgram program, String source, String name);

  int nvrtcDestroyProgram(nvrtcProgram program);

  int nvrtcCompileProgram(nvrtcProgram program, String[] options);

  int nvrtcGetPTX(nvrtcProgram program, String[] text);

  int nvrtcGetCUBINSize(nvrtcProgram program, long[] size);

  int nvrtcGetCUBIN(nvrtcProgram program, byte[] cubin);

  int nvrtcGetProgramLog(nvrtcProgram program, String[] text);
}
