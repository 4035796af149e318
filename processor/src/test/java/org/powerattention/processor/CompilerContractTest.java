package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static com.google.testing.compile.CompilationSubject.assertThat;

import com.google.testing.compile.Compilation;
import com.google.testing.compile.JavaFileObjects;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.annotation.processing.Processor;
import javax.tools.JavaFileObject;
import javax.tools.StandardLocation;
import org.junit.jupiter.api.Test;

/** What compilers and build tools rely on: isolation, determinism, registration. */
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
    Map<String, List<String>> expected = new TreeMap<>();
    Map<String, String> typeByLauncher =
        Map.of(
            "Layers_FirstLauncher", "p.Layers.First",
            "CubicLauncher", "p.Layers.First",
            "Layers_SecondLauncher", "p.Layers.Second");
    typeByLauncher.forEach(
        (launcher, type) -> {
          expected.put("p." + launcher, List.of(type));
          for (String source : Compilations.sources("p/" + launcher)) {
            expected.put(source, List.of(type));
          }
        });
    assertThat(spy.origins).containsExactlyEntriesIn(expected);
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

  private static final JavaFileObject OTHER =
      Compilations.source(
          "Other",
          """
          package p;

          @org.powerattention.annotations.PowerAttention(degree = 4, headDim = 16)
          interface Other {}
          """);

  private static Map<String, String> generated(Compilation compilation) {
    assertThat(compilation).succeededWithoutWarnings();
    Map<String, String> texts = new TreeMap<>();
    for (String path : Compilations.generatedPaths(compilation)) {
      texts.put(path, Compilations.generated(compilation, path));
    }
    return texts;
  }

  @Test
  void bytesAreTheSameWhateverElseIsCompiledInWhateverOrderAndLocale() {
    Map<String, String> alone = generated(Compilations.compile(LAYERS));
    assertThat(alone.keySet())
        .containsExactlyElementsIn(
            Stream.of("p/Layers_FirstLauncher", "p/CubicLauncher", "p/Layers_SecondLauncher")
                .flatMap(launcher -> Compilations.files(launcher).stream())
                .toList());
    Locale locale = Locale.getDefault();
    try {
      Locale.setDefault(Locale.GERMANY);
      assertThat(generated(Compilations.compile(OTHER, LAYERS))).containsAtLeastEntriesIn(alone);
    } finally {
      Locale.setDefault(locale);
    }
    assertThat(generated(Compilations.compile(LAYERS, OTHER))).containsAtLeastEntriesIn(alone);
  }

  @Test
  void linesEndInLineFeedsAloneAndCarryNoTime() {
    generated(Compilations.compile(LAYERS))
        .forEach(
            (path, text) -> {
              assertWithMessage(path).that(text).doesNotContainMatch("[\\r\\t]| \\n|\\n\\n\\n");
              assertWithMessage(path).that(text).endsWith("}\n");
              assertWithMessage(path).that(text).doesNotContainMatch("\\d\\d:\\d\\d|20[2-9]\\d-");
            });
  }

  @Test
  void linesOfLaunchersFitIn100Columns() {
    generated(Compilations.compile(LAYERS))
        .forEach(
            (path, text) -> {
              if (path.endsWith(".java")) {
                text.lines().forEach(line -> assertThat(line.length()).isAtMost(100));
              }
            });
  }

  @Test
  void cudaSourcesAreInUtf8WhateverTheEncodingOfJavaSources() throws IOException {
    Compilation compilation =
        Compilations.compiler()
            .withOptions("-encoding", "ISO-8859-1")
            .compile(
                Compilations.source(
                    "Größe",
                    """
                    package p;

                    @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
                    interface Größe {}
                    """));
    assertThat(compilation).succeededWithoutWarnings();
    JavaFileObject source =
        compilation
            .generatedFile(
                StandardLocation.CLASS_OUTPUT, "META-INF/powerattention/p/GrößeLauncher.sm_80.cu")
            .orElseThrow();
    try (InputStream stream = source.openInputStream()) {
      assertThat(new String(stream.readAllBytes(), StandardCharsets.UTF_8))
          .contains("on p.Größe\n");
    }
  }

  @Test
  void processingAloneWritesTheFiles() {
    Compilation compilation = Compilations.compiler().withOptions("-proc:only").compile(OTHER);
    assertThat(generated(compilation).keySet())
        .containsExactlyElementsIn(Compilations.files("p/OtherLauncher"));
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
    assertThat(Compilations.generatedPaths(compilation))
        .contains("org/powerattention/runtime/OldLauncher.java");
  }
}
