package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Runs emitted CUDA without a GPU: as C++, a thread for each thread of a block, under a sanitizer
 * that finds what barriers leave unordered, or what lies outside of memory.
 */
final class EmulationTest {
  private static final String SOURCES =
      "/META-INF/powerattention/org/powerattention/kernels/accuracy/P2D16Bf16Launcher";

  private static final Pattern FUNCTION =
      Pattern.compile("__device__ __forceinline__ [^;{}()]*\\([^{}]*?\\) \\{");

  private static final String TYPES_END = "typedef long long int64;\n";

  /** Greatest relative L2 errors: in 16 bits, as on a GPU. */
  private static final Map<String, Double> LIMITS =
      Map.of("y", 5e-3, "dq", 1e-2, "dk", 1e-2, "dv", 1e-2, "dlogG", 1e-2, "decode", 5e-3);

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"thread", "address,undefined"})
  void kernelsThatRunOnACpuComputeTheFormulaAndNeitherRaceNorStray(String sanitizer)
      throws Exception {
    requireCompiler(sanitizer);
    Result result = call(sanitizer, withoutPtx(resource(SOURCES + ".sm_80.cu")));
    assertWithMessage(result.output).that(result.status).isEqualTo(0);
    Map<String, Double> errors = new HashMap<>();
    for (String line : result.output.lines().toList()) {
      Matcher error = Pattern.compile("(\\w+) (\\d\\.\\d+e[-+]\\d+)").matcher(line);
      assertWithMessage(line).that(error.matches()).isTrue();
      errors.put(error.group(1), Double.parseDouble(error.group(2)));
    }
    assertThat(errors.keySet()).isEqualTo(LIMITS.keySet());
    errors.forEach(
        (what, error) -> assertWithMessage(what).that(error).isLessThan(LIMITS.get(what)));
  }

  @Test
  void aBarrierThatIsMissingIsFound() throws Exception {
    requireCompiler("thread");
    String source = withoutPtx(resource(SOURCES + ".sm_80.cu"));
    String barrier = "__syncthreads();  // x_transposed and weighted are complete";
    assertThat(source).contains(barrier);
    Result result = call("thread", source.replace(barrier, "//"));
    assertThat(result.status).isNotEqualTo(0);
    assertThat(result.output).contains("data race");
  }

  private void requireCompiler(String sanitizer) throws Exception {
    write("nothing.cpp", "int main() {}\n");
    try {
      Result result = compile("nothing", sanitizer);
      Assumptions.assumeTrue(result.status == 0, "c++ has no sanitizer " + sanitizer);
    } catch (IOException e) {
      Assumptions.abort("no c++: " + e.getMessage());
    }
  }

  private Result call(String sanitizer, String forward) throws Exception {
    for (String part : List.of("cuda.h", "ptx_bf16.h", "calls.cpp")) {
      write(part, resource("/emulation/" + part));
    }
    write("forward.h", forward);
    write("backward.h", withoutPtx(resource(SOURCES + ".backward.sm_80.cu")));
    write("serving.h", withoutPtx(resource(SOURCES + ".serving.sm_80.cu")));
    Result compiled = compile("calls", sanitizer);
    assertWithMessage(compiled.output).that(compiled.status).isEqualTo(0);
    return run(List.of("./calls"));
  }

  /** Leaves out the functions that consist of PTX, in whose place others are included. */
  private static String withoutPtx(String source) {
    StringBuilder kept = new StringBuilder();
    Matcher function = FUNCTION.matcher(source);
    int from = 0;
    while (function.find(from)) {
      int end = bodyEnd(source, function.end() - 1);
      String text = source.substring(function.start(), end);
      boolean ptx = text.contains("asm") || text.contains("__cvta_generic_to_shared");
      kept.append(source, from, ptx ? function.start() : end);
      from = end;
    }
    return kept.append(source.substring(from))
        .toString()
        .replace(TYPES_END, TYPES_END + "#include \"ptx_bf16.h\"\n")
        .replaceFirst("extern __shared__ .*shared_memory\\[\\];", "")
        .replace("extern \"C\" ", "");
  }

  private static int bodyEnd(String source, int brace) {
    int depth = 0;
    for (int i = brace; i < source.length(); i++) {
      char c = source.charAt(i);
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (depth == 0) {
        return i + 1;
      }
    }
    throw new IllegalArgumentException("a body without end");
  }

  /** How a process ended, and what it printed. */
  private record Result(int status, String output) {}

  private Result compile(String name, String sanitizer) throws Exception {
    return run(
        List.of(
            "c++",
            "-std=c++17",
            "-O1",
            "-w",
            "-fsanitize=" + sanitizer,
            "-o",
            name,
            name + ".cpp",
            "-pthread"));
  }

  private Result run(List<String> command) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true);
    builder.environment().put("TSAN_OPTIONS", "halt_on_error=1"); // one race is enough to know
    Process process = builder.start();
    try (InputStream stream = process.getInputStream()) {
      String output = new String(stream.readAllBytes(), StandardCharsets.UTF_8);
      return new Result(process.waitFor(), output);
    }
  }

  private void write(String name, String text) throws IOException {
    Files.writeString(directory.resolve(name), text);
  }

  private static String resource(String name) throws IOException {
    try (InputStream stream = EmulationTest.class.getResourceAsStream(name)) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
