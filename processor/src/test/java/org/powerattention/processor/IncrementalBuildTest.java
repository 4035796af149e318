package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What Gradle does with a processor that calls itself isolating: it deletes the files whose origin
 * has changed or is gone, and compiles what has changed against the classes of the build before.
 * Whatever is changed, that must leave the files of a full build, byte for byte.
 */
final class IncrementalBuildTest {
  private static final String FIRST = declaring("First", 64);
  private static final String SECOND =
      declaring("Second", 32).replace("{}", "{ static void use(FirstLauncher launcher) {} }");
  private static final String PLAIN = "package p; class Plain {}";

  @TempDir private Path folder;

  private Path incremental;
  private Map<String, List<String>> origins;

  private static String declaring(String name, int headDim) {
    return """
    package p;
    @org.powerattention.annotations.PowerAttention(degree = 2, headDim = %d)
    class %s {}
    """
        .formatted(headDim, name);
  }

  @BeforeEach
  void build() throws IOException {
    incremental = folder.resolve("incremental");
    origins = compile(incremental, Map.of("First", FIRST, "Second", SECOND, "Plain", PLAIN));
  }

  /** Compiles into a folder, beside what is there; returns the origins of generated files. */
  private Map<String, List<String>> compile(Path output, Map<String, String> sources)
      throws IOException {
    Path root = Files.createTempDirectory(folder, "sources");
    List<Path> files = new ArrayList<>();
    for (Map.Entry<String, String> source : new TreeMap<>(sources).entrySet()) {
      files.add(Files.writeString(root.resolve(source.getKey() + ".java"), source.getValue()));
    }
    Files.createDirectories(output);
    CompilerSpy spy = new CompilerSpy();
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager manager =
        compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
      String classPath = output + File.pathSeparator + Compilations.modulePath();
      List<String> options =
          List.of("-cp", classPath, "-d", output.toString(), "-s", output.toString());
      JavaCompiler.CompilationTask task =
          compiler.getTask(
              null, manager, null, options, null, manager.getJavaFileObjectsFromPaths(files));
      task.setProcessors(List.of(spy));
      assertThat(task.call()).isTrue();
    }
    return spy.origins;
  }

  /** Deletes the class of a type, and all files of which it is an origin with their classes. */
  private void delete(String type) throws IOException {
    Files.delete(incremental.resolve("p/" + type + ".class"));
    for (Map.Entry<String, List<String>> generated : origins.entrySet()) {
      if (generated.getValue().contains("p." + type)) {
        String name = generated.getKey();
        if (name.endsWith(".cu")) {
          Files.delete(incremental.resolve(name));
        } else {
          Files.delete(incremental.resolve(name.replace('.', '/') + ".java"));
          Files.delete(incremental.resolve(name.replace('.', '/') + ".class"));
        }
      }
    }
  }

  private void assertAsAfterAFullBuild(Map<String, String> sources) throws IOException {
    Path full = folder.resolve("full");
    compile(full, sources);
    assertThat(contents(incremental)).containsExactlyEntriesIn(contents(full));
  }

  private static Map<String, ByteBuffer> contents(Path root) throws IOException {
    Map<String, ByteBuffer> contents = new TreeMap<>();
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        contents.put(root.relativize(file).toString(), ByteBuffer.wrap(Files.readAllBytes(file)));
      }
    }
    return contents;
  }

  @Test
  void changedDeclarationIsCompiledAlone() throws IOException {
    String changed = declaring("First", 128);
    delete("First");
    compile(incremental, Map.of("First", changed));
    assertAsAfterAFullBuild(Map.of("First", changed, "Second", SECOND, "Plain", PLAIN));
  }

  @Test
  void newDeclarationIsCompiledAlone() throws IOException {
    String added = declaring("Third", 16);
    compile(incremental, Map.of("Third", added));
    assertAsAfterAFullBuild(
        Map.of("First", FIRST, "Second", SECOND, "Plain", PLAIN, "Third", added));
  }

  @Test
  void declarationTakenBackLeavesNothingBehind() throws IOException {
    String plain = "package p; class Second {}";
    delete("Second");
    compile(incremental, Map.of("Second", plain));
    assertAsAfterAFullBuild(Map.of("First", FIRST, "Second", plain, "Plain", PLAIN));
  }

  @Test
  void deletedTypeTakesItsFilesWithIt() throws IOException {
    delete("Second");
    assertAsAfterAFullBuild(Map.of("First", FIRST, "Plain", PLAIN));
  }

  @Test
  void whatUsesALauncherIsCompiledAgainstTheOneThatIsThere() throws IOException {
    String changed = SECOND.replace("32", "48");
    delete("Second");
    compile(incremental, Map.of("Second", changed));
    assertAsAfterAFullBuild(Map.of("First", FIRST, "Second", changed, "Plain", PLAIN));
  }
}
