package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.testing.compile.CompilationSubject.assertThat;

import com.google.testing.compile.Compilation;
import com.google.testing.compile.JavaFileObjects;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import javax.annotation.processing.Processor;
import javax.tools.JavaFileObject;
import javax.tools.StandardLocation;
import org.junit.jupiter.api.Test;

/** What compilers and build tools rely on: rounds, isolation, determinism, registration. */
final class CompilerContractTest {
  private static final JavaFileObject LAYERS =
      Compilations.source(
          "Layers",
          """
          package p;

          import org.powerattention.annotations.*;

          public class Layers {
            @PowerAttention(degree = 2, headDim = 64)
            @PowerAttention(degree = 3, headDim = 32, normalized = false, name = "Cubic")
            interface First {}

            @PowerAttention(degree = 2, headDim = 128, dtype = DType.FP32)
            interface Second {}
          }
          """);

  @Test
  void everyFileHasItsTypeAsTheOnlyOrigin() {
    CompilerSpy spy = new CompilerSpy();
    assertThat(Compilations.compiler(spy).compile(LAYERS)).succeededWithoutWarnings();
    assertThat(spy.origins)
        .containsExactly(
            "p.Layers_FirstLauncher", List.of("p.Layers.First"),
            "META-INF/powerattention/p/Layers_FirstLauncher.sm_80.cu", List.of("p.Layers.First"),
            "META-INF/powerattention/p/Layers_FirstLauncher.sm_90a.cu", List.of("p.Layers.First"),
            "p.CubicLauncher", List.of("p.Layers.First"),
            "META-INF/powerattention/p/CubicLauncher.sm_80.cu", List.of("p.Layers.First"),
            "META-INF/powerattention/p/CubicLauncher.sm_90a.cu", List.of("p.Layers.First"),
            "p.Layers_SecondLauncher", List.of("p.Layers.Second"),
            "META-INF/powerattention/p/Layers_SecondLauncher.sm_80.cu", List.of("p.Layers.Second"),
            "META-INF/powerattention/p/Layers_SecondLauncher.sm_90a.cu",
                List.of("p.Layers.Second"));
  }

  @Test
  void processorIsRegisteredWithTheCompilerAndAsIsolatingWithGradle() throws IOException {
    assertThat(
            ServiceLoader.load(Processor.class).stream()
                .map(ServiceLoader.Provider::type)
                .collect(Collectors.toList()))
        .contains(PowerAttentionProcessor.class);
    try (InputStream stream =
        PowerAttentionProcessor.class.getResourceAsStream(
            "/META-INF/gradle/incremental.annotation.processors")) {
      assertThat(new String(stream.readAllBytes(), StandardCharsets.UTF_8))
          .isEqualTo(PowerAttentionProcessor.class.getName() + ",isolating\n");
    }
  }

  @Test
  void twoCompilationsGiveTheSameBytesWhateverElseIsCompiled() {
    Compilation alone = Compilations.compile(LAYERS);
    Compilation withOthers =
        Compilations.compile(
            Compilations.source(
                "Before",
                """
                package p;

                @org.powerattention.annotations.PowerAttention(degree = 4, headDim = 16)
                interface Before {}
                """),
            LAYERS);
    assertThat(withOthers).succeededWithoutWarnings();
    List<String> paths = Compilations.generatedPaths(alone);
    assertThat(paths).hasSize(9);
    for (String path : paths) {
      String text = Compilations.generated(alone, path);
      assertThat(Compilations.generated(withOthers, path)).isEqualTo(text);
      assertThat(text).doesNotContain("\r");
    }
  }

  @Test
  void valueMayBeAConstantThatAnotherProcessorGenerates() {
    Compilation compilation =
        Compilations.compiler(
                new PowerAttentionProcessor(),
                new SourceGenerator(
                    "p.Sizes", "package p; final class Sizes { static final int HEAD = 48; }"))
            .compile(
                Compilations.source(
                    "Layer",
                    """
                    package p;

                    @org.powerattention.annotations.PowerAttention(
                        degree = 2, headDim = p.Sizes.HEAD)
                    interface Layer {}
                    """));
    assertThat(compilation).succeededWithoutWarnings();
    assertThat(Compilations.generated(compilation, "p/LayerLauncher.java"))
        .contains("new KernelSpec(2, 48, ");
  }

  @Test
  void annotatedTypeMayItselfBeGenerated() {
    Compilation compilation =
        Compilations.compiler(
                new PowerAttentionProcessor(),
                new SourceGenerator(
                    "p.Layer",
                    """
                    package p;

                    @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
                    interface Layer {}
                    """))
            .compile(Compilations.source("Other", "package p; interface Other {}"));
    assertThat(compilation).succeededWithoutWarnings();
    assertThat(compilation)
        .generatedFile(
            StandardLocation.CLASS_OUTPUT, "META-INF/powerattention/p/LayerLauncher.sm_80.cu");
  }

  @Test
  void annotatedTypeMayUseTypesThatDoNotExistYet() {
    Compilation compilation =
        Compilations.compile(
            Compilations.source(
                "Layer",
                """
                package p;

                @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
                interface Layer {
                  LayerLauncher launcher();
                }
                """));
    assertThat(compilation).succeededWithoutWarnings();
  }

  @Test
  void launcherOfAnEarlierBuildOnTheClassPathIsNoObstacle() {
    // As in an incremental build, whose class path has the classes of the build before.
    Compilation compilation =
        Compilations.compile(
            JavaFileObjects.forSourceString(
                "org.powerattention.runtime.Tensor_",
                """
                package org.powerattention.runtime;

                @org.powerattention.annotations.PowerAttention(
                    degree = 2, headDim = 64, name = "Old")
                interface Tensor_ {}
                """));
    assertThat(compilation).succeededWithoutWarnings();
  }
}
