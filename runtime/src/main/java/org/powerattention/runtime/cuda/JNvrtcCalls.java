package org.powerattention.runtime.cuda;

import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;

/** The real calls. */
final class JNvrtcCalls implements NvrtcCalls {
  @Override
  public int nvrtcVersion(int[] major, int[] minor) {
    return JNvrtc.nvrtcVersion(major, minor);
  }

  @Override
  public int nvrtcGetNumSupportedArchs(int[] count) {
    return JNvrtc.nvrtcGetNumSupportedArchs(count);
  }

  @Override
  public int nvrtcGetSupportedArchs(int[] architectures) {
    return JNvrtc.nvrtcGetSupportedArchs(architectures);
  }

  @Override
  public int nvrtcCreateProgram(nvrtcProgram program, String source, String name) {
    return JNvrtc.nvrtcCreateProgram(program, source, name, 0, null, null);
  }

  @Override
  public int nvrtcDestroyProgram(nvrtcProgram program) {
    return JNvrtc.nvrtcDestroyProgram(program);
  }

  @Override
  public int nvrtcCompileProgram(nvrtcProgram program, String[] options) {
    return JNvrtc.nvrtcCompileProgram(program, options.length, options);
  }

  @Override
  public int nvrtcGetPTX(nvrtcProgram program, String[] text) {
    return JNvrtc.nvrtcGetPTX(program, text);
  }

  @Override
  public int nvrtcGetCUBINSize(nvrtcProgram program, long[] size) {
    return JNvrtc.nvrtcGetCUBINSize(program, size);
  }

  @Override
  public int nvrtcGetCUBIN(nvrtcProgram program, byte[] cubin) {
    return JNvrtc.nvrtcGetCUBIN(program, cubin);
  }

  @Override
  public int nvrtcGetProgramLog(nvrtcProgram program, String[] text) {
    return JNvrtc.nvrtcGetProgramLog(program, text);
  }
}
