package org.powerattention.runtime;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.powerattention.runtime.cuda.CudaPrecompiler;

/**
 * A program that compiles generated CUDA sources for given GPUs when an application is built, so
 * that it needs no NVRTC where it runs:
 *
 * <pre>{@code
 * java -cp <the application's class path, with NVRTC> org.powerattention.runtime.Precompiler \
 *     sm_80,sm_90 target/classes
 * }</pre>
 *
 * <p>The arguments are the GPUs' architectures, with commas between; the directory that the code
 * goes to, into {@code META-INF/powerattention}; and where the sources are: directories, or names
 * of launcher classes on the class path. Without these they are in that first directory. It needs
 * NVRTC, but no GPU. What has been compiled and still fits its source is left as it is.
 *
 * <p>A launcher that finds the code for its GPU's architecture beside its source, on the class path
 * or module path, uses it and does not look for NVRTC.
 */
public final class Precompiler {
  private static final Pattern ARCHITECTURE = Pattern.compile("sm_(\\d{2,3})");

  private Precompiler() {}

  /**
   * Runs it.
   *
   * @param arguments as above
   * @throws IllegalArgumentException if they are not as above, or there is no such source
   * @throws CudaUnavailableException if there is no NVRTC
   * @throws CompilationException if NVRTC rejects a source
   * @throws IOException if a file cannot be read or written
   */
  public static void main(String[] arguments) throws IOException {
    run(System.out, arguments);
  }

  static void run(PrintStream out, String... arguments) throws IOException {
    if (arguments.length < 2) {
      throw new IllegalArgumentException(
          arguments.length
              + " arguments; needed: the architectures (sm_80,sm_90), the directory to write to,"
              + " and where the sources are if not there: directories or launcher classes");
    }
    List<Integer> capabilities =
        Arrays.stream(arguments[0].split(",", -1)).map(Precompiler::capability).toList();
    int first = arguments.length > 2 ? 2 : 1;
    List<String> places = List.of(arguments).subList(first, arguments.length);
    CudaPrecompiler.Outcome outcome =
        CudaPrecompiler.run(capabilities, Path.of(arguments[1]), places);
    outcome
        .compiled()
        .forEach((name, bytes) -> out.printf(Locale.ROOT, "%s, %.0f KiB%n", name, bytes / 1024.0));
    out.printf(
        "%d compiled with %s, %d up to date%n",
        outcome.compiled().size(), outcome.compiler(), outcome.kept());
  }

  private static int capability(String architecture) {
    Matcher name = ARCHITECTURE.matcher(architecture);
    if (!name.matches()) {
      throw new IllegalArgumentException(
          "architecture '"
              + architecture
              + "'; allowed: sm_80 or later, such as sm_90 for Hopper, whose kernels of its own"
              + " (sm_90a) are among them");
    }
    return Integer.parseInt(name.group(1));
  }
}
