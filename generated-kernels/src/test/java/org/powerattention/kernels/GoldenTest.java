package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The catalogue's CUDA sources are those under version control, byte for byte. */
class GoldenTest {
  private static final String UPDATE_PROPERTY = "golden.update";
  private static final String REMEDY =
      "If the change is meant, run\n  mvn -pl generated-kernels -am test -Dtest=GoldenTest -D"
          + UPDATE_PROPERTY
          + " -Dsurefire.failIfNoSpecifiedTests=false\nand review the diff of src/main/cuda;";

  private static final Path GOLDENS =
      Path.of(System.getProperty("basedir", ""), "src", "main", "cuda");

  @BeforeAll
  static void updateIfAsked() throws IOException {
    String update = System.getProperty(UPDATE_PROPERTY, "false");
    if (update.equals("false")) {
      return;
    }
    Set<String> current = CudaFiles.in(CudaFiles.emitted());
    Files.createDirectories(GOLDENS);
    for (String golden : CudaFiles.in(GOLDENS)) {
      if (!current.contains(golden)) {
        Files.delete(GOLDENS.resolve(golden));
      }
    }
    for (String name : current) {
      Files.write(GOLDENS.resolve(name), Files.readAllBytes(CudaFiles.emitted().resolve(name)));
    }
  }

  @Test
  void everyEmittedSourceHasAGoldenAndEveryGoldenADeclaration() throws IOException {
    assertWithMessage(REMEDY + " the goldens are")
        .that(CudaFiles.in(GOLDENS))
        .containsExactlyElementsIn(CudaFiles.in(CudaFiles.emitted()));
  }

  @Test
  void emittedSourcesEqualTheirGoldensByteForByte() throws IOException {
    List<String> different = new ArrayList<>();
    for (String name : CudaFiles.in(GOLDENS)) {
      Path emitted = CudaFiles.emitted().resolve(name);
      if (Files.exists(emitted) && Files.mismatch(emitted, GOLDENS.resolve(name)) >= 0) {
        different.add(name);
      }
    }
    assertWithMessage(REMEDY + " those that differ are").that(different).isEmpty();
  }
}
