package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The catalogue's CUDA sources are those under version control, byte for byte. */
class GoldenTest {
  private static final String UPDATE_PROPERTY = "golden.update";
  private static final String REMEDY =
      "If the change is meant, run\n  mvn -pl generated-kernels -am test -Dtest=GoldenTest -D"
          + UPDATE_PROPERTY
          + " -Dsurefire.failIfNoSpecifiedTests=false\nand review the diff of src/main/cuda.";

  private final Path goldens = Path.of(System.getProperty("basedir", ""), "src", "main", "cuda");
  private final Path emitted = emitted();

  @BeforeEach
  void updateIfAsked() throws IOException {
    if (!Boolean.parseBoolean(System.getProperty(UPDATE_PROPERTY))) {
      return;
    }
    Set<String> current = cudaFiles(emitted);
    Files.createDirectories(goldens);
    for (String stale : cudaFiles(goldens)) {
      if (!current.contains(stale)) {
        Files.delete(goldens.resolve(stale));
      }
    }
    for (String name : current) {
      Files.write(goldens.resolve(name), Files.readAllBytes(emitted.resolve(name)));
    }
  }

  @Test
  void everyEmittedSourceHasAGoldenAndEveryGoldenADeclaration() throws IOException {
    assertWithMessage("files in " + goldens + ". " + REMEDY)
        .that(cudaFiles(goldens))
        .containsExactlyElementsIn(cudaFiles(emitted));
  }

  @Test
  void emittedSourcesEqualTheGoldensByteForByte() throws IOException {
    for (String name : cudaFiles(emitted)) {
      Path golden = goldens.resolve(name);
      if (Files.exists(golden)) {
        long difference = Files.mismatch(emitted.resolve(name), golden);
        if (difference >= 0) {
          fail(name + " differs from its golden from byte " + difference + " on. " + REMEDY);
        }
      }
    }
  }

  private static Set<String> cudaFiles(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      return Set.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".cu"))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /** Where the processor has put the sources of this package. */
  private static Path emitted() {
    try {
      Path classes =
          Path.of(Catalogue.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return classes.resolve("META-INF/powerattention/org/powerattention/kernels");
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }
}
