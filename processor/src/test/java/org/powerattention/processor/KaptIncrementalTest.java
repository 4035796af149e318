package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;

import com.google.common.collect.Iterables;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An incremental build as Gradle has kapt do it, by kapt's own rules for isolating processors. */
final class KaptIncrementalTest {
  private static final String MARK = "// as it was\n";

  @TempDir private Path folder;

  private Path source(String name, int headDim) throws IOException {
    return Files.writeString(
        folder.resolve(name + ".kt"),
        """
        package p
        @org.powerattention.annotations.PowerAttention(degree = 2, headDim = %d)
        interface %s
        """
            .formatted(headDim, name));
  }

  @Test
  void onlyTheFilesOfAChangedDeclarationAreGeneratedAnew() throws Exception {
    List<Path> sources = List.of(source("First", 32), source("Second", 32));
    Files.createDirectories(folder.resolve("compiled"));
    build(sources, List.of());
    KotlinCompiler.compileGenerated(folder);
    List<Path> ofFirst = generated("First");
    List<Path> ofSecond = generated("Second");
    assertThat(Files.readString(ofFirst.get(0))).contains("heads of 32 numbers");
    for (Path file : Iterables.concat(ofFirst, ofSecond)) {
      Files.writeString(file, MARK, StandardOpenOption.APPEND);
    }

    source("First", 64);
    build(sources, List.of(folder.resolve("stubs/p/First.java")));
    assertThat(Files.readString(ofFirst.get(0))).contains("heads of 64 numbers");
    for (Path file : ofFirst) {
      assertThat(Files.readString(file)).doesNotContain(MARK);
    }
    for (Path file : ofSecond) {
      assertThat(Files.readString(file)).endsWith(MARK);
    }
  }

  private void build(List<Path> sources, List<Path> changed) throws Exception {
    Class<?> processor = PowerAttentionProcessor.class;
    List<String> said =
        KotlinCompiler.run(
            folder,
            List.of(
                KotlinCompiler.stubs(folder, sources, processor),
                KotlinCompiler.processing(folder, processor, changed)));
    assertThat(said).containsExactly("", "");
  }

  /** Returns the launcher of a declaration, and its CUDA sources. */
  private List<Path> generated(String declaration) throws IOException {
    List<Path> files = new ArrayList<>();
    files.add(folder.resolve("java/p/" + declaration + "Launcher.java"));
    try (Stream<Path> all = Files.walk(folder.resolve("classes"))) {
      all.filter(file -> file.toString().endsWith(".cu"))
          .filter(file -> file.getFileName().toString().startsWith(declaration))
          .forEach(files::add);
    }
    assertThat(files).hasSize(6);
    return files;
  }
}
