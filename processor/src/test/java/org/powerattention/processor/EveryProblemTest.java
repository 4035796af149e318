package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;

import com.google.testing.compile.Compilation;
import com.google.testing.compile.Compiler;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import javax.tools.Diagnostic;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.processor.validate.Problem;

/** Every problem of the catalogue under javac: its message, its line and column, and once. */
final class EveryProblemTest {
  static List<Mistake> ofTypes() {
    return Mistake.ofTypes();
  }

  @ParameterizedTest
  @MethodSource("ofTypes")
  void mistakeInADeclaration(Mistake mistake) {
    // Only failures that do not come of a declaration need another processor.
    Compiler compiler =
        Set.of(Problem.NOT_WRITTEN, Problem.INTERNAL).contains(mistake.problem())
            ? Compilations.compiler(new FailingProcessor())
            : Compilations.compiler();
    assertThat(diagnostics(compiler, mistake)).containsExactly("ERROR " + mistake.inJava());
  }

  @Test
  void missingRuntime() {
    Mistake mistake = Mistake.WITHOUT_RUNTIME;
    assertThat(diagnostics(Compilations.withoutRuntime(), mistake))
        .containsExactly("ERROR " + mistake.inJava());
  }

  @Test
  void mistakesInOptions() {
    List<String> options =
        Mistake.OPTIONS.entrySet().stream()
            .map(o -> "-A" + o.getKey() + "=" + o.getValue())
            .toList();
    Compilation compilation =
        Compilations.compiler()
            .withOptions(options)
            .compile(
                Compilations.source(
                    "Layer",
                    """
                    package p;
                    @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
                    interface Layer {}
                    """));
    assertThat(diagnostics(compilation))
        .containsExactly(
            "WARNING -1:-1 " + Mistake.OF_OPTIONS.get(0),
            "ERROR -1:-1 " + Mistake.OF_OPTIONS.get(1));
  }

  @Test
  void noProblemIsLeftOut() {
    Set<String> tried = new TreeSet<>();
    Mistake.ofTypes().forEach(mistake -> tried.add(mistake.problem().code()));
    tried.add(Mistake.WITHOUT_RUNTIME.problem().code());
    Mistake.OF_OPTIONS.forEach(message -> tried.add(message.substring(1, 6)));
    assertThat(tried)
        .containsExactlyElementsIn(Arrays.stream(Problem.values()).map(Problem::code).toList());
  }

  private static List<String> diagnostics(Compiler compiler, Mistake mistake) {
    return diagnostics(
        compiler.compile(Compilations.source(mistake.problem().code(), mistake.javaText())));
  }

  private static List<String> diagnostics(Compilation compilation) {
    return compilation.diagnostics().stream().map(EveryProblemTest::text).toList();
  }

  private static String text(Diagnostic<? extends JavaFileObject> diagnostic) {
    return "%s %d:%d %s"
        .formatted(
            diagnostic.getKind(),
            diagnostic.getLineNumber(),
            diagnostic.getColumnNumber(),
            diagnostic.getMessage(Locale.ROOT));
  }
}
