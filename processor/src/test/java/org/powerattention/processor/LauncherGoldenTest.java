package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static com.google.testing.compile.CompilationSubject.assertThat;
import static com.google.testing.compile.Compiler.javac;

import com.google.testing.compile.Compilation;
import com.google.testing.compile.JavaFileObjects;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.powerattention.annotations.PowerAttention;

/**
 * Launchers, byte for byte. After an intended change of the generator, rewrite the goldens and read
 * their diff: {@code mvn test -pl processor -am -Dgolden.update}.
 */
final class LauncherGoldenTest {
  private static final Path GOLDENS = Path.of("src/test/resources/goldens");

  @Test
  void gatedAndNormalized() throws IOException {
    Compilation compilation =
        Compilations.compile(
            Compilations.source(
                "ContextLayer",
                """
                package p;

                import org.powerattention.annotations.PowerAttention;

                @PowerAttention(degree = 2, headDim = 64, chunk = 1024)
                public interface ContextLayer {}
                """));
    assertGolden(compilation, "p/ContextLayerLauncher.java");
  }

  @Test
  void ungatedAndNotNormalizedInTheDefaultPackage() throws IOException {
    Compilation compilation =
        Compilations.compile(
            JavaFileObjects.forSourceString(
                "Model",
                """
                import org.powerattention.annotations.*;

                class Model {
                  @PowerAttention(
                      degree = 1,
                      headDim = 32,
                      dtype = DType.FP32,
                      gated = false,
                      normalized = false)
                  record Layer() {}
                }
                """));
    assertGolden(compilation, "Model_LayerLauncher.java");
  }

  private static void assertGolden(Compilation compilation, String path) throws IOException {
    assertThat(compilation).succeededWithoutWarnings();
    String generated = Compilations.generated(compilation, path);
    Path golden = GOLDENS.resolve(path);
    if (System.getProperty("golden.update") != null) {
      Files.createDirectories(golden.getParent());
      Files.writeString(golden, generated);
    }
    assertWithMessage("rewrite with -Dgolden.update; %s", path)
        .that(generated)
        .isEqualTo(Files.readString(golden));
  }

  @Test
  void typesThatAreCalledLikeThoseOfLaunchersDoNoHarm() {
    assertThat(
            Compilations.compile(
                declaring("Tensor", "degree = 2, headDim = 64"),
                declaring("List", "degree = 2, headDim = 64"),
                declaring("KernelSpec", "degree = 2, headDim = 64")))
        .succeededWithoutWarnings();
  }

  @Test
  void valuesMayBeConstantExpressions() {
    Compilation compilation =
        Compilations.compile(declaring("Layer", "degree = 1 + 1, headDim = Layer.WIDTH << 2"));
    assertThat(compilation).succeededWithoutWarnings();
    assertThat(Compilations.generated(compilation, "p/LayerLauncher.java"))
        .contains("new KernelSpec(2, 64, ");
  }

  @Test
  void withoutJspecifyNothingSaysWhatCanBeNull() {
    Compilation compilation =
        javac()
            .withProcessors(new PowerAttentionProcessor())
            .withClasspath(
                List.of(
                    Compilations.stubs().toFile(),
                    new File(Compilations.location(PowerAttention.class))))
            .compile(declaring("Layer", "degree = 2, headDim = 64"));
    assertThat(compilation).succeeded();
    assertThat(Compilations.generated(compilation, "p/LayerLauncher.java")).doesNotContain("@Null");
  }

  private static JavaFileObject declaring(String type, String values) {
    return Compilations.source(
        type,
        """
        package p;

        import org.powerattention.annotations.*;

        @PowerAttention(%s)
        public interface %s {
          int WIDTH = 16;
        }
        """
            .formatted(values, type));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "degree = 2, headDim = 64",
        "degree = 4, headDim = 80, dtype = DType.FP16, gated = false",
        "degree = 3, headDim = 128, dtype = DType.FP32, normalized = false",
        "degree = 1, headDim = 16, gated = false, normalized = false, name = \"Tensor\""
      })
  void generatedCodeCompilesWithoutWarnings(String values) {
    Compilation compilation =
        Compilations.compiler()
            // Without "processing", which complains of every annotation that no processor claims.
            .withOptions("-Xlint:all,-processing", "-Xdoclint:all,-missing", "-Werror")
            .compile(declaring("ContextLayer", values));
    assertThat(compilation).succeededWithoutWarnings();
  }
}
