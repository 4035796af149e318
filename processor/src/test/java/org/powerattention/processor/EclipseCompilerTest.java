package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.File;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import javax.annotation.processing.Processor;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import org.eclipse.jdt.internal.compiler.tool.EclipseCompiler;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A second compiler, Eclipse's: the same files, and the same errors at the same places. */
final class EclipseCompilerTest {
  @TempDir private Path folder;

  /** Compiles; returns errors and warnings with their places. */
  private List<String> compile(
      Processor processor, List<String> options, String classPath, String name, String text)
      throws IOException {
    Path source = folder.resolve("p").resolve(name + ".java");
    Files.createDirectories(source.getParent());
    Files.writeString(source, text);
    JavaCompiler compiler = new EclipseCompiler();
    DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
    try (StandardJavaFileManager files =
        compiler.getStandardFileManager(found, Locale.ROOT, StandardCharsets.UTF_8)) {
      List<String> arguments = new ArrayList<>(options);
      arguments.addAll(
          List.of("-source", "17", "-target", "17", "-cp", classPath, "-d", folder.toString()));
      arguments.addAll(List.of("-s", folder.toString()));
      JavaCompiler.CompilationTask task =
          compiler.getTask(
              Writer.nullWriter(), files, found, arguments, null, files.getJavaFileObjects(source));
      task.setProcessors(List.of(processor));
      task.call();
    }
    return found.getDiagnostics().stream()
        .map(
            d ->
                d.getKind()
                    + " "
                    + d.getLineNumber()
                    + ":"
                    + d.getColumnNumber()
                    + " "
                    + d.getMessage(Locale.ROOT))
        .toList();
  }

  private static String classPath() {
    return Compilations.modulePath();
  }

  static List<Mistake> ofTypes() {
    return Mistake.ofTypes();
  }

  @ParameterizedTest
  @MethodSource("ofTypes")
  void everyMistakeIsReportedOnceAtItsPlace(Mistake mistake) throws IOException {
    assertThat(
            compile(
                new FailingProcessor(),
                List.of("-warn:none"),
                classPath(),
                mistake.problem().code(),
                mistake.javaText()))
        .containsExactly("ERROR " + mistake.inEclipse());
  }

  @Test
  void missingRuntimeIsReportedOnceAtItsPlace() throws IOException {
    Mistake mistake = Mistake.WITHOUT_RUNTIME;
    String withoutRuntime = classPath().replace(File.pathSeparator + Compilations.stubs(), "");
    assertThat(
            compile(
                new PowerAttentionProcessor(),
                List.of("-warn:none"),
                withoutRuntime,
                "PA012",
                mistake.javaText()))
        .containsExactly("ERROR " + mistake.inEclipse());
  }

  @Test
  void filesAreThoseOfJavacAndCompileWithoutWarnings() throws IOException {
    String layer =
        """
        package p;

        import org.powerattention.annotations.PowerAttention;

        @PowerAttention(degree = 2, headDim = 64, chunk = 1024)
        public interface ContextLayer {}
        """;
    assertThat(
            compile(new PowerAttentionProcessor(), List.of(), classPath(), "ContextLayer", layer))
        .isEmpty();
    assertThat(Files.isRegularFile(folder.resolve("p/ContextLayerLauncher.class"))).isTrue();
    var javac = Compilations.compile(Compilations.source("ContextLayer", layer));
    for (String path : Compilations.files("p/ContextLayerLauncher")) {
      assertWithMessage(path)
          .that(Files.readString(folder.resolve(path)))
          .isEqualTo(Compilations.generated(javac, path));
    }
  }
}
