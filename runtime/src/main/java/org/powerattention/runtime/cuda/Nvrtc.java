package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CompilationException;
import org.powerattention.runtime.CudaUnavailableException;

/** CUDA's runtime compiler. Needs no device. Safe for many threads. */
final class Nvrtc {
  private static @Nullable Nvrtc instance;
  private static @Nullable CudaUnavailableException failure;

  private final Path library;
  private final String version;
  private final List<Integer> architectures;

  private Nvrtc(Path library) {
    this.library = library;
    int[] major = new int[1];
    int[] minor = new int[1];
    check(JNvrtc.nvrtcVersion(major, minor), "nvrtcVersion");
    version = major[0] + "." + minor[0];
    int[] count = new int[1];
    check(JNvrtc.nvrtcGetNumSupportedArchs(count), "nvrtcGetNumSupportedArchs");
    int[] supported = new int[count[0]];
    check(JNvrtc.nvrtcGetSupportedArchs(supported), "nvrtcGetSupportedArchs");
    architectures = Arrays.stream(supported).boxed().toList();
  }

  /**
   * Returns the compiler, which is looked for once per process.
   *
   * @throws CudaUnavailableException if there is none, with the places where it was looked for
   */
  @SuppressWarnings("StaticAssignmentOfThrowable") // the first cause is the one worth telling
  static synchronized Nvrtc get() {
    if (failure != null) {
      throw new CudaUnavailableException(failure.getMessage(), failure);
    }
    if (instance == null) {
      try {
        Path library = NvrtcLibrary.load();
        NativeLibraries.loadNvrtcBindings();
        instance = new Nvrtc(library);
      } catch (CudaUnavailableException e) {
        failure = e;
        throw e;
      }
    }
    return instance;
  }

  /** Returns the version, such as {@code 12.9}. */
  String version() {
    return version;
  }

  /** Returns the file that it was loaded from. */
  Path library() {
    return library;
  }

  /** Returns what tells this compiler from others: patch releases have the same version. */
  String build() {
    try {
      return version + ", " + Files.size(library) + " bytes";
    } catch (IOException e) {
      return version;
    }
  }

  /** Returns the architectures that it can compile for, such as 80 for sm_80. */
  List<Integer> architectures() {
    return architectures;
  }

  /**
   * Compiles a source.
   *
   * @param source the CUDA C++ text, which includes nothing
   * @param name its name in the compiler's messages
   * @param target what to compile to
   * @return a cubin, or PTX text ending in a zero byte, as the target asks
   * @throws CompilationException if the compiler rejects it
   */
  byte[] compile(String source, String name, Target target) {
    nvrtcProgram program = new nvrtcProgram();
    check(JNvrtc.nvrtcCreateProgram(program, source, name, 0, null, null), "nvrtcCreateProgram");
    try {
      String[] options = target.options().toArray(String[]::new);
      int result = JNvrtc.nvrtcCompileProgram(program, options.length, options);
      if (result != nvrtcResult.NVRTC_SUCCESS) {
        throw new CompilationException(
            "NVRTC "
                + version
                + " could not compile "
                + name
                + " for "
                + target.architecture()
                + " ("
                + nvrtcResult.stringFor(result)
                + "); its log:",
            log(program));
      }
      return target.binary() ? cubin(program) : ptx(program);
    } finally {
      JNvrtc.nvrtcDestroyProgram(program);
    }
  }

  private static byte[] cubin(nvrtcProgram program) {
    long[] size = new long[1];
    check(JNvrtc.nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize");
    byte[] cubin = new byte[Math.toIntExact(size[0])];
    check(JNvrtc.nvrtcGetCUBIN(program, cubin), "nvrtcGetCUBIN");
    return cubin;
  }

  private static byte[] ptx(nvrtcProgram program) {
    String[] text = new String[1];
    check(JNvrtc.nvrtcGetPTX(program, text), "nvrtcGetPTX");
    return (text[0] + "\0").getBytes(StandardCharsets.US_ASCII);
  }

  private static String log(nvrtcProgram program) {
    String[] text = new String[1];
    int result = JNvrtc.nvrtcGetProgramLog(program, text);
    return result == nvrtcResult.NVRTC_SUCCESS && text[0] != null ? text[0] : "(no log)";
  }

  private static void check(int result, String call) {
    if (result != nvrtcResult.NVRTC_SUCCESS) {
      throw new CompilationException(call + " failed: " + nvrtcResult.stringFor(result), "");
    }
  }
}
