package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.testing.compile.CompilationSubject.assertThat;

import com.google.testing.compile.Compilation;
import java.io.IOException;
import java.util.Locale;
import java.util.stream.Stream;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What fails through no mistake in a declaration: one error, and the other types' files stand. */
final class FailuresTest {
  private static final JavaFileObject LAYER = layer("Layer");
  private static final JavaFileObject OTHER = layer("Other");

  private static JavaFileObject layer(String name) {
    return Compilations.source(
        name,
        """
        package p;

        @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
        interface %s {}
        """
            .formatted(name));
  }

  private static void assertOtherIsWritten(CompilerSpy spy) {
    assertThat(spy.origins.keySet()).contains("p.OtherLauncher");
    assertThat(spy.origins.keySet())
        .containsAtLeastElementsIn(Compilations.sources("p/OtherLauncher"));
  }

  static Stream<String> files() {
    return Stream.concat(
        Stream.of("p.LayerLauncher"), Compilations.sources("p/LayerLauncher").stream());
  }

  @ParameterizedTest
  @MethodSource("files")
  void fileThatCannotBeWrittenIsReportedAtTheAnnotation(String failing) {
    CompilerSpy spy =
        new CompilerSpy(
            file -> {
              if (file.equals(failing)) {
                throw new IOException("disk full");
              }
            });
    Compilation compilation = Compilations.compiler(spy).compile(LAYER, OTHER);
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation).hadWarningCount(0);
    assertThat(compilation)
        .hadErrorContaining(
            "[PA010] the launcher p.LayerLauncher could not be written: java.io.IOException: disk"
                + " full. Make the compiler's output directories writable and compile again.")
        .inFile(LAYER)
        .onLine(3)
        .atColumn(1);
    assertOtherIsWritten(spy);
  }

  @Test
  void errorsOfTheVirtualMachineDoNotEscapeEither() {
    // As where the processor path lacks a jar.
    CompilerSpy spy =
        new CompilerSpy(
            file -> {
              if (file.contains("Layer")) {
                throw new NoClassDefFoundError("missing/Type");
              }
            });
    Compilation compilation = Compilations.compiler(spy).compile(LAYER, OTHER);
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation)
        .hadErrorContaining(
            "[PA011] the processor failed on this declaration: java.lang.NoClassDefFoundError:"
                + " missing/Type at ")
        .inFile(LAYER)
        .onLine(4);
    assertOtherIsWritten(spy);
  }

  @Test
  void defectOfTheProcessorIsOneErrorThatAsksForAReport() {
    CompilerSpy spy =
        new CompilerSpy(
            file -> {
              if (file.contains("Layer")) {
                throw new IllegalStateException("broken");
              }
            });
    Compilation compilation = Compilations.compiler(spy).compile(LAYER, OTHER);
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation)
        .hadErrorContaining(
            "[PA011] the processor failed on this declaration: java.lang.IllegalStateException:"
                + " broken at org.powerattention.processor.")
        .inFile(LAYER)
        .onLine(4);
    assertThat(compilation.errors().get(0).getMessage(Locale.ROOT))
        .endsWith("please report it together with the declaration.");
    assertOtherIsWritten(spy);
  }
}
