package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CompilationException;
import org.powerattention.runtime.CudaUnavailableException;
import org.powerattention.runtime.events.CompilationEvent;
import org.powerattention.runtime.events.Events;
import org.powerattention.runtime.spi.Log;

/** CUDA's runtime compiler. Needs no device. Safe for many threads. */
final class Nvrtc {
  private static final int LEAST_MAJOR = 12;

  private static @Nullable Nvrtc instance;
  private static @Nullable CudaUnavailableException failure;

  private final NvrtcCalls calls;
  private final Path library;
  private final String version;
  private final List<Integer> architectures;

  /**
   * Asks the compiler what it is.
   *
   * @param library the file that it was loaded from
   */
  Nvrtc(NvrtcCalls calls, Path library) {
    this.calls = calls;
    this.library = library;
    int[] major = new int[1];
    int[] minor = new int[1];
    check(calls.nvrtcVersion(major, minor), "nvrtcVersion", "its first call");
    version = major[0] + "." + minor[0];
    if (major[0] < LEAST_MAJOR) {
      throw new CudaUnavailableException(
          library
              + " is NVRTC "
              + version
              + "; needed: 12.0 or later; name another with -D"
              + NvrtcLibrary.PROPERTY,
          null);
    }
    int[] count = new int[1];
    check(calls.nvrtcGetNumSupportedArchs(count), "nvrtcGetNumSupportedArchs", "its first call");
    int[] supported = new int[count[0]];
    check(calls.nvrtcGetSupportedArchs(supported), "nvrtcGetSupportedArchs", "its first call");
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
        instance = new Nvrtc(new JNvrtcCalls(), library);
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
   * @param name its name in the compiler's messages, which name its lines
   * @param what what it is, for and of, in words
   * @param target what to compile to
   * @return a cubin, or PTX text ending in a zero byte, as the target asks
   * @throws CompilationException if the compiler rejects it
   */
  byte[] compile(String source, String name, String what, Target target) {
    String where = what + " (" + name + " for " + target.architecture() + ")";
    CompilationEvent event = Events.startCompilation();
    long start = System.nanoTime();
    byte[] code = compileAs(source, name, where, target);
    Log.get()
        .log(
            Level.DEBUG,
            "Compiled {0} in {1} ms with NVRTC {2}",
            where,
            (System.nanoTime() - start) / 1_000_000,
            version);
    if (event != null) {
      event.source = name;
      event.what = what;
      event.architecture = target.architecture();
      event.compiler = version;
      event.bytes = code.length;
      event.commit();
    }
    return code;
  }

  private byte[] compileAs(String source, String name, String where, Target target) {
    nvrtcProgram program = new nvrtcProgram();
    check(calls.nvrtcCreateProgram(program, source, name), "nvrtcCreateProgram", where);
    try {
      String[] options = target.options().toArray(String[]::new);
      int result = calls.nvrtcCompileProgram(program, options);
      if (result != nvrtcResult.NVRTC_SUCCESS) {
        throw new CompilationException(
            describe(result, "nvrtcCompileProgram", where) + "; its log:", log(program));
      }
      return target.binary() ? cubin(program, where) : ptx(program, where);
    } finally {
      int ignored = calls.nvrtcDestroyProgram(program);
    }
  }

  private byte[] cubin(nvrtcProgram program, String where) {
    long[] size = new long[1];
    check(calls.nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize", where);
    byte[] cubin = new byte[Math.toIntExact(size[0])];
    check(calls.nvrtcGetCUBIN(program, cubin), "nvrtcGetCUBIN", where);
    return cubin;
  }

  private byte[] ptx(nvrtcProgram program, String where) {
    String[] text = new String[1];
    check(calls.nvrtcGetPTX(program, text), "nvrtcGetPTX", where);
    return (text[0] + "\0").getBytes(StandardCharsets.US_ASCII);
  }

  private String log(nvrtcProgram program) {
    String[] text = new String[1];
    int result = calls.nvrtcGetProgramLog(program, text);
    return result == nvrtcResult.NVRTC_SUCCESS && text[0] != null ? text[0] : "(no log)";
  }

  private void check(int result, String call, String where) {
    if (result != nvrtcResult.NVRTC_SUCCESS) {
      throw new CompilationException(describe(result, call, where), "");
    }
  }

  private String describe(int result, String call, String where) {
    return call
        + " failed on "
        + where
        + " with "
        + library
        + ": "
        + nvrtcResult.stringFor(result)
        + " ("
        + result
        + "); "
        + remedy(result);
  }

  private static String remedy(int result) {
    return switch (result) {
      case nvrtcResult.NVRTC_ERROR_OUT_OF_MEMORY -> "free memory on the host";
      case nvrtcResult.NVRTC_ERROR_COMPILATION ->
          "the library's kernels compile with NVRTC 12.0 and later, so this is a defect of theirs"
              + " or an edited source: please report it with the log";
      case nvrtcResult.NVRTC_ERROR_INVALID_OPTION ->
          "this NVRTC does not know the architecture or C++17; use NVRTC 12.0 or later";
      case nvrtcResult.NVRTC_ERROR_BUILTIN_OPERATION_FAILURE ->
          "libnvrtc-builtins of the same version must lie beside libnvrtc; install both anew";
      default ->
          "try another NVRTC 12 (-D" + NvrtcLibrary.PROPERTY + "), and report it if it stays";
    };
  }
}
