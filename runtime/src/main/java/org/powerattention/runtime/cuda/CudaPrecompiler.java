package org.powerattention.runtime.cuda;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Compiles generated sources when an application is built. */
public final class CudaPrecompiler {
  private static final String ROOT = "META-INF/powerattention";

  /** Launcher, perhaps a part, family. */
  private static final Pattern SOURCE = Pattern.compile(".+\\.(sm_\\d+a?)\\.cu");

  private static final List<String> PARTS = List.of("", ".backward", ".serving");
  private static final List<String> FAMILIES = List.of("sm_80", "sm_90a");

  private final Supplier<Nvrtc> compiler;

  CudaPrecompiler(Supplier<Nvrtc> compiler) {
    this.compiler = compiler;
  }

  /**
   * What came of a run.
   *
   * @param compiled the resources that were compiled, with their sizes in bytes
   * @param kept how many were there and fitted their sources
   * @param compiler the compiler in words
   */
  public record Outcome(Map<String, Integer> compiled, int kept, String compiler) {}

  /**
   * Compiles sources and writes the code to resources beside them.
   *
   * @param capabilities ten times the compute capabilities of the devices, such as 90
   * @param output the directory that the resources go to
   * @param places where the sources are: directories, or names of launcher classes, whose sources
   *     are looked for on the class path
   */
  public static Outcome run(List<Integer> capabilities, Path output, List<String> places)
      throws IOException {
    return new CudaPrecompiler(Nvrtc::get).compile(capabilities, output, places);
  }

  Outcome compile(List<Integer> capabilities, Path output, List<String> places) throws IOException {
    Nvrtc nvrtc = compiler.get();
    for (int capability : capabilities) {
      if (capability < Target.LEAST_CAPABILITY || !nvrtc.architectures().contains(capability)) {
        throw new IllegalArgumentException(
            "sm_"
                + capability
                + "; allowed: sm_80 or later, of those that NVRTC "
                + nvrtc.version()
                + " compiles for: "
                + nvrtc.architectures());
      }
    }
    Map<String, String> sources = new TreeMap<>();
    for (String place : places) {
      Path directory = Path.of(place);
      sources.putAll(Files.isDirectory(directory) ? sourcesBelow(directory) : sourcesOf(place));
    }
    Map<String, Integer> compiled = new ConcurrentSkipListMap<>();
    List<Compilation> all =
        sources.entrySet().stream()
            .flatMap(source -> compilations(source.getKey(), source.getValue(), capabilities))
            .distinct()
            .toList();
    all.parallelStream()
        .filter(compilation -> !compilation.isDone(output))
        .forEach(c -> compiled.put(c.result(), c.write(output, nvrtc)));
    String words = "NVRTC " + nvrtc.version() + " (" + nvrtc.library() + ")";
    return new Outcome(compiled, all.size() - compiled.size(), words);
  }

  private static Stream<Compilation> compilations(
      String name, String text, List<Integer> capabilities) {
    Matcher family = SOURCE.matcher(name);
    return family.matches()
        ? capabilities.stream()
            .flatMap(capability -> Stream.ofNullable(Target.own(family.group(1), capability)))
            .map(target -> new Compilation(name, text, target))
        : Stream.empty();
  }

  /** Returns texts by resource name. */
  private static Map<String, String> sourcesBelow(Path directory) throws IOException {
    Map<String, String> sources = new TreeMap<>();
    Path root = directory.resolve(ROOT);
    if (Files.isDirectory(root)) {
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : (Iterable<Path>) files::iterator) {
          if (SOURCE.matcher(file.getFileName().toString()).matches()) {
            String name = directory.relativize(file).toString().replace('\\', '/');
            sources.put(name, Files.readString(file));
          }
        }
      }
    }
    if (sources.isEmpty()) {
      throw new IllegalArgumentException(
          "no generated sources are below "
              + root
              + ": name the directory that classes are compiled into, and run after the compiler");
    }
    return sources;
  }

  private static Map<String, String> sourcesOf(String launcher) throws IOException {
    Map<String, String> sources = new TreeMap<>();
    for (String part : PARTS) {
      for (String family : FAMILIES) {
        String name = ROOT + "/" + launcher.replace('.', '/') + part + "." + family + ".cu";
        resource(name).ifPresent(text -> sources.put(name, text));
      }
    }
    if (sources.isEmpty()) {
      throw new IllegalArgumentException(
          launcher
              + " is neither a directory nor a launcher whose generated sources are on the class"
              + " path; allowed: the directory that classes are compiled into, or full names of"
              + " generated classes, such as model.ContextLayerLauncher");
    }
    return sources;
  }

  private static Optional<String> resource(String name) throws IOException {
    // Of the thread: a build tool runs this with the application in a class loader of its own.
    ClassLoader loader = Thread.currentThread().getContextClassLoader();
    try (InputStream stream = loader.getResourceAsStream(name)) {
      return stream == null
          ? Optional.empty()
          : Optional.of(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  /** A source, by resource name and text, and what it is compiled to. */
  private record Compilation(String name, String text, Target target) {
    String result() {
      return Precompiled.name(name, target);
    }

    /** Whether it need not be done again. */
    boolean isDone(Path output) {
      byte[] entry = read(output.resolve(result()));
      return entry != null && Precompiled.fault(entry, Precompiled.key(text, target)) == null;
    }

    private static byte @Nullable [] read(Path file) {
      try {
        return Files.readAllBytes(file);
      } catch (NoSuchFileException e) {
        return null;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** Does it and returns the size of the code in bytes. */
    int write(Path output, Nvrtc nvrtc) {
      byte[] code = nvrtc.compile(text, name.substring(name.lastIndexOf('/') + 1), name, target);
      byte[] entry = Precompiled.seal(Precompiled.key(text, target), code);
      try {
        Path file = output.resolve(result());
        Files.createDirectories(file.getParent());
        AtomicFile.write(file, new ByteArrayInputStream(entry));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return code.length;
    }
  }
}
