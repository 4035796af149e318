package org.powerattention.processor;

import static com.google.testing.compile.Compiler.javac;

import com.google.testing.compile.Compilation;
import com.google.testing.compile.Compiler;
import com.google.testing.compile.JavaFileObjects;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.annotation.processing.Processor;
import javax.tools.JavaFileObject;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;
import org.jspecify.annotations.NullMarked;
import org.powerattention.annotations.PowerAttention;

/** Compilers with the processor, and with stubs of the runtime on their class path. */
final class Compilations {
  private static final Path STUBS = Path.of("src/test/resources/stubs");
  private static final Path STUB_CLASSES = Path.of("target/stub-classes");

  static {
    compileStubs();
  }

  private Compilations() {}

  /** A compiler that runs the processor. */
  static Compiler compiler() {
    return withStubs().withProcessors(new PowerAttentionProcessor());
  }

  /** A compiler that runs other processors. */
  static Compiler compiler(Processor... processors) {
    return withStubs().withProcessors(processors);
  }

  /** A compiler whose class path lacks the runtime. */
  static Compiler withoutRuntime() {
    return javac().withProcessors(new PowerAttentionProcessor());
  }

  static Compilation compile(JavaFileObject... sources) {
    return compiler().compile(sources);
  }

  /** A source file of package p; lines as in the text. */
  static JavaFileObject source(String simpleName, String text) {
    return JavaFileObjects.forSourceString("p." + simpleName, text);
  }

  /** The text of a generated source or resource, by its path in its output directory. */
  static String generated(Compilation compilation, String path) {
    StandardLocation location =
        path.endsWith(".java") ? StandardLocation.SOURCE_OUTPUT : StandardLocation.CLASS_OUTPUT;
    JavaFileObject file =
        compilation
            .generatedFile(location, path)
            .orElseThrow(
                () ->
                    new AssertionError(
                        path + " was not generated: " + compilation.generatedFiles()));
    try {
      return file.getCharContent(false).toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Paths of all generated files but class files, in order. */
  static List<String> generatedPaths(Compilation compilation) {
    return compilation.generatedFiles().stream()
        .map(file -> file.toUri().getPath())
        .filter(path -> !path.endsWith(".class"))
        .map(path -> path.replaceFirst("^/(SOURCE|CLASS)_OUTPUT/", ""))
        .sorted()
        .toList();
  }

  /** Paths of the CUDA sources that belong to a launcher, such as {@code p/LayerLauncher}. */
  static List<String> sources(String launcher) {
    return Stream.of(
            ".sm_80.cu",
            ".sm_90a.cu",
            ".backward.sm_80.cu",
            ".backward.sm_90a.cu",
            ".serving.sm_80.cu")
        .map(suffix -> "META-INF/powerattention/" + launcher + suffix)
        .toList();
  }

  /** Paths of all files that are generated for a launcher, in order. */
  static List<String> files(String launcher) {
    return Stream.concat(Stream.of(launcher + ".java"), sources(launcher).stream())
        .sorted()
        .toList();
  }

  /** The module path of a named module with a declaration: the annotations and the stubs. */
  static String modulePath() {
    return annotationsPath() + File.pathSeparator + STUB_CLASSES;
  }

  private static String annotationsPath() {
    return Stream.of(PowerAttention.class, NullMarked.class)
        .map(Compilations::location)
        .collect(Collectors.joining(File.pathSeparator));
  }

  /** The folder or jar that a class comes from. */
  static String location(Class<?> type) {
    return new File(type.getProtectionDomain().getCodeSource().getLocation().getPath()).getPath();
  }

  /** The folder with the classes of the stubs. */
  static Path stubs() {
    return STUB_CLASSES;
  }

  private static Compiler withStubs() {
    List<File> path = new ArrayList<>();
    path.add(STUB_CLASSES.toFile());
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      path.add(new File(entry));
    }
    return javac().withClasspath(path);
  }

  private static void compileStubs() {
    try (Stream<Path> files = Files.walk(STUBS)) {
      List<String> arguments = new ArrayList<>();
      arguments.addAll(
          List.of("-proc:none", "-d", STUB_CLASSES.toString(), "-p", annotationsPath()));
      files
          .filter(file -> file.toString().endsWith(".java"))
          .map(Path::toString)
          .sorted()
          .forEach(arguments::add);
      Files.createDirectories(STUB_CLASSES);
      int status =
          ToolProvider.getSystemJavaCompiler()
              .run(null, null, null, arguments.toArray(new String[0]));
      if (status != 0) {
        throw new IllegalStateException("the stubs do not compile");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
