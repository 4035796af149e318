package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.testing.compile.CompilationSubject.assertThat;

import com.google.testing.compile.Compilation;
import java.util.List;
import java.util.Locale;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Declarations that appear, or become readable, only as processors generate code. */
final class RoundsTest {
  private static final String LAYER =
      """
      package p;

      @org.powerattention.annotations.PowerAttention(degree = 2, headDim = Sizes.HEAD)
      interface Layer {}
      """;
  private static final String SIZES =
      "package p; final class Sizes { static final int HEAD = %d; }";

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void valueMayBeAConstantThatAnotherProcessorGeneratesInALaterRound(int round) {
    Compilation compilation =
        Compilations.compiler(
                new PowerAttentionProcessor(),
                new SourceGenerator("p.First", "package p; class First {}", 1),
                new SourceGenerator("p.Second", "package p; class Second {}", 2),
                new SourceGenerator("p.Sizes", SIZES.formatted(48), round))
            .compile(Compilations.source("Layer", LAYER));
    assertThat(compilation).succeededWithoutWarnings();
    assertThat(Compilations.generated(compilation, "p/LayerLauncher.java"))
        .contains("new KernelSpec(2, 48, ");
  }

  @Test
  void generatedConstantThatIsWrongIsReportedOnceAtTheValue() {
    JavaFileObject source = Compilations.source("Layer", LAYER);
    Compilation compilation =
        Compilations.compiler(
                new PowerAttentionProcessor(),
                new SourceGenerator("p.Sizes", SIZES.formatted(65), 1))
            .compile(source);
    assertThat(compilation).hadErrorCount(1);
    // Where javac has the position of a field access: at its dot.
    assertThat(compilation)
        .hadErrorContaining("[PA002] headDim = 65;")
        .inFile(source)
        .onLine(3)
        .atColumn(75);
  }

  @Test
  void annotatedTypeMayItselfBeGeneratedBeforeItsValues() {
    Compilation compilation =
        Compilations.compiler(
                new PowerAttentionProcessor(),
                new SourceGenerator("p.Layer", LAYER, 1),
                new SourceGenerator("p.Sizes", SIZES.formatted(64), 2))
            .compile(Compilations.source("Other", "package p; interface Other {}"));
    assertThat(compilation).succeededWithoutWarnings();
    assertThat(Compilations.generatedPaths(compilation))
        .contains("META-INF/powerattention/p/LayerLauncher.sm_80.cu");
  }

  @Test
  void annotatedTypeMayUseItsLauncher() {
    Compilation compilation =
        Compilations.compile(
            Compilations.source(
                "Layer",
                """
                package p;

                import org.powerattention.runtime.Accelerator;

                @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
                record Layer(LayerLauncher launcher) {
                  static Layer on(Accelerator accelerator) {
                    return new Layer(LayerLauncher.on(accelerator));
                  }
                }
                """));
    assertThat(compilation).succeededWithoutWarnings();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "degree = UNKNOWN, headDim = 64",
        "degree = 2, headDim = Unknown.VALUE",
        "degree = 2, headDim = (int) Math.sqrt(4096)",
        "degree = 2, headDim = 64, dtype = DType.FP8",
        "degree = 2, headDim = 64, name = UNKNOWN",
        "degree = \"2\", headDim = 64",
        "degree = 2, headDim = 64, gated = 1",
        "degree = 2, headDim = 64, heads = 8",
        "headDim = 64",
        "degree = 2, headDim = 64, degree = 2"
      })
  void whatTheCompilerRejectsItselfGetsItsErrorAlone(String values) {
    JavaFileObject source =
        Compilations.source(
            "Layer",
            """
            package p;

            import org.powerattention.annotations.*;

            @PowerAttention(%s)
            interface Layer {}
            """
                .formatted(values));
    // Beside a processor that does nothing: javac words some errors otherwise without any.
    SourceGenerator idle = new SourceGenerator("p.Never", "", 0);
    List<String> compilers = errors(Compilations.compiler(idle).compile(source));
    assertThat(compilers).isNotEmpty();
    assertThat(errors(Compilations.compile(source))).isEqualTo(compilers);
  }

  private static List<String> errors(Compilation compilation) {
    return compilation.errors().stream()
        .map(
            error ->
                error.getLineNumber()
                    + ":"
                    + error.getColumnNumber()
                    + " "
                    + error.getMessage(Locale.ROOT))
        .toList();
  }
}
