package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.runtime.CudaUnavailableException;

/** In JVMs of their own, since a process loads a library once. */
final class NativeLibrariesTest {
  private static final String BINDINGS = "libJNvrtc-12.6.0-linux-x86_64.so";

  @TempDir Path directory;

  /** What the other JVMs run: compiles a kernel, or prints why it cannot. */
  static final class Compile {
    private Compile() {}

    public static void main(String[] arguments) {
      String before = System.getProperty("java.io.tmpdir");
      try {
        byte[] code =
            Nvrtc.get().compile(NvrtcTest.SOURCE, "scale.cu", "a test", new Target("sm_80", true));
        System.out.println("compiled " + KernelCache.key(hex(code), List.of(), ""));
      } catch (CudaUnavailableException e) {
        System.out.println("unavailable " + e.getMessage());
      }
      System.out.println("tmpdir kept: " + before.equals(System.getProperty("java.io.tmpdir")));
    }

    private static String hex(byte[] code) {
      return HexFormat.of().formatHex(code);
    }
  }

  @Test
  void aTruncatedLibraryInTheTemporaryDirectoryIsNotUsed() throws Exception {
    Path temporary = Files.createDirectory(directory.resolve("tmp"));
    byte[] library;
    try (InputStream resource =
        NativeLibrariesTest.class.getClassLoader().getResourceAsStream("lib/" + BINDINGS)) {
      library = resource.readAllBytes();
    }
    // Cut within a segment that is mapped: whoever loads it dies of SIGBUS.
    Files.write(temporary.resolve(BINDINGS), Arrays.copyOf(library, 8_192));
    String output = finish(start("cache", "-Djava.io.tmpdir=" + temporary));
    assertThat(output).contains("compiled ");
    assertThat(output).contains("tmpdir kept: true");
  }

  @Test
  void aDamagedExtractedLibraryIsMendedBeforeItIsLoaded() throws Exception {
    String first = finish(start("cache"));
    assertThat(first).contains("compiled ");
    int damaged = 0;
    for (Path file : filesBelow(directory.resolve("cache/natives"))) {
      Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 8_192));
      damaged++;
    }
    assertThat(damaged).isEqualTo(3); // the bindings, NVRTC and its builtins
    assertThat(finish(start("cache"))).isEqualTo(first);
  }

  @Test
  void twoProcessesThatStartTogetherBothWork() throws Exception {
    Process one = start("shared");
    Process two = start("shared");
    String output = finish(one);
    assertThat(output).contains("compiled ");
    assertThat(finish(two)).isEqualTo(output);
    assertThat(filesBelow(directory.resolve("shared/natives"))).hasSize(3);
  }

  @Test
  void withoutNvrtcTheMessageListsWhatWasTriedAndWhatToAdd() throws Exception {
    String output = finish(startOn(elements(false), "cache"));
    assertThat(output).contains("unavailable NVRTC");
    assertThat(output).contains("/usr/local/cuda/lib64/libnvrtc.so.12: no such file");
    assertThat(output).contains("class path and module path: no org/bytedeco/cuda");
    assertThat(output).contains("Add org.bytedeco:cuda-redist:12.9-9.10-1.5.12");
    assertThat(output).contains("-Dpowerattention.nvrtc");
  }

  @Test
  void anNvrtcNamedByThePropertyIsTheOneUsed() throws Exception {
    finish(start("cache"));
    Path library =
        filesBelow(directory.resolve("cache/natives")).stream()
            .filter(file -> file.endsWith("libnvrtc.so.12"))
            .findFirst()
            .orElseThrow();
    String output = finish(startOn(elements(false), "cache", "-Dpowerattention.nvrtc=" + library));
    assertThat(output).contains("compiled ");
    String missing =
        finish(startOn(elements(true), "cache", "-Dpowerattention.nvrtc=/nowhere/libnvrtc.so"));
    assertThat(missing).contains("powerattention.nvrtc names no usable library: /nowhere");
  }

  @Test
  void theModulePathServesAsWellAsTheClassPath() throws Exception {
    List<String> modules = new ArrayList<>();
    for (String element : elements(true)) {
      String name = element.substring(element.lastIndexOf(File.separatorChar) + 1);
      if (element.equals(mainClasses())
          || element.contains("annotations")
          || name.startsWith("jcuda")
          || name.startsWith("cuda-redist")) {
        modules.add(element);
      }
    }
    Process process =
        startJava(
            "cache",
            List.of(
                "--module-path",
                String.join(File.pathSeparator, modules),
                "--patch-module",
                "org.powerattention.runtime=" + testClasses(),
                "--module",
                "org.powerattention.runtime/" + Compile.class.getName()));
    assertThat(finish(process)).contains("compiled ");
  }

  @Test
  void aJvmThatRefusesNativeAccessIsToldWhichFlagItNeeds() throws Exception {
    assumeTrue(Runtime.version().feature() >= 24, "older JDKs cannot be told to refuse it");
    String output = finish(start("cache", "--illegal-native-access=deny"));
    assertThat(output).contains("unavailable this JVM refuses native access");
    assertThat(output).contains("--enable-native-access=ALL-UNNAMED");
  }

  @Test
  void linkErrorsAreExplainedInWords() {
    String quoted =
        "Error while loading native library\njava.lang.UnsatisfiedLinkError: no x in"
            + " java.library.path\njava.lang.UnsatisfiedLinkError: /p/libx.so: ";
    assertThat(
            NativeLibraries.explain(
                quoted + "libcuda.so.1: cannot open shared object file\n\tat java.base"))
        .contains("no NVIDIA driver was found");
    assertThat(NativeLibraries.explain(quoted + "undefined symbol: cuFoo"))
        .contains("too old for CUDA 12: /p/libx.so: undefined symbol: cuFoo");
    assertThat(NativeLibraries.explain(quoted + "failed to map segment")).contains("noexec");
    assertThat(NativeLibraries.explain("Illegal native access from module jcuda"))
        .contains("--enable-native-access=ALL-UNNAMED");
    assertThat(NativeLibraries.explain("something else")).contains("something else");
  }

  @Test
  void onlyLinuxOnX86HasCuda() {
    NativeLibraries.checkPlatform("Linux", "amd64");
    assertThrows(
        CudaUnavailableException.class, () -> NativeLibraries.checkPlatform("Linux", "aarch64"));
    CudaUnavailableException failure =
        assertThrows(
            CudaUnavailableException.class,
            () -> NativeLibraries.checkPlatform("Mac OS X", "x86_64"));
    assertThat(failure).hasMessageThat().contains("this is Mac OS X x86_64");
  }

  private Process start(String cache, String... options) throws Exception {
    return startOn(elements(true), cache, options);
  }

  private Process startOn(List<String> classPath, String cache, String... options)
      throws IOException {
    List<String> command = new ArrayList<>(List.of(options));
    command.addAll(List.of("-cp", String.join(File.pathSeparator, classPath)));
    command.add(Compile.class.getName());
    return startJava(cache, command);
  }

  private Process startJava(String cache, List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dpowerattention.cache=" + directory.resolve(cache));
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().remove("LD_LIBRARY_PATH");
    builder.redirectError(directory.resolve("errors-" + System.nanoTime()).toFile());
    return builder.start();
  }

  private static String finish(Process process) throws Exception {
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertWithMessage(output).that(process.exitValue()).isEqualTo(0);
    return output;
  }

  private static String mainClasses() throws Exception {
    return Path.of(Nvrtc.class.getProtectionDomain().getCodeSource().getLocation().toURI())
        .toString();
  }

  /** Where the tests lie, which in a module is not where their code source says. */
  private static String testClasses() throws Exception {
    Class<?> own = NativeLibrariesTest.class;
    Path file = Path.of(own.getResource(own.getSimpleName() + ".class").toURI());
    for (int i = own.getPackageName().split("\\.").length; i >= 0; i--) {
      file = file.getParent();
    }
    return file.toString();
  }

  /** Everything that this JVM has on its module path and its class path. */
  private static List<String> elements(boolean withNvrtc) throws Exception {
    Set<String> elements = new LinkedHashSet<>(List.of(mainClasses(), testClasses()));
    for (String property : List.of("jdk.module.path", "java.class.path")) {
      elements.addAll(List.of(System.getProperty(property, "").split(File.pathSeparator)));
    }
    elements.removeIf(
        element -> element.isEmpty() || (!withNvrtc && element.contains("cuda-redist")));
    return List.copyOf(elements);
  }

  private static List<Path> filesBelow(Path parent) throws IOException {
    try (Stream<Path> paths = Files.walk(parent)) {
      return paths.filter(Files::isRegularFile).toList();
    }
  }
}
