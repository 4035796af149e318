package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.FirstCall;

/** What a program does not load for its first call: it took most of its start. */
final class StartTest {
  private static String loaded(Object... device) throws Exception {
    return JavaProcess.start("", List.of("-Xlog:class+load"), FirstCall.class, device).finish();
  }

  @Test
  void aFirstCallStartsNeitherTheFlightRecorderNorLogging() throws Exception {
    String loaded = loaded();
    assertThat(loaded).contains("org.powerattention.runtime.cpu.ForwardWalk ");
    assertThat(loaded).doesNotContain("jdk.jfr.internal.");
    assertThat(loaded).doesNotContain("jdk.internal.logger.");
    assertThat(loaded).doesNotContain("jcuda.");
  }

  /** A first use of the methods that a record has by itself takes some 25 ms. */
  @Test
  void aFirstCallUsesNoMethodsOfRecordsThatAreLinkedThen() throws Exception {
    String onCpu = loaded();
    String onGpu = loaded("gpu");
    assertThat(onGpu).contains("org.powerattention.runtime.cuda.CudaForward ");
    for (String loaded : List.of(onCpu, onGpu)) {
      assertThat(loaded).doesNotContain("java.lang.runtime.ObjectMethods ");
      assertThat(loaded).doesNotContain("java.util.Formatter ");
    }
  }

  /** As much as a first string that is put together by invokedynamic. */
  @Test
  void noStringIsPutTogetherByInvokedynamic() throws Exception {
    for (Class<?> type : List.of(KernelSpec.class, Accelerator.class)) {
      Path classes = Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
      if (Files.isDirectory(classes)) {
        checkClasses(classes, type);
      } else {
        try (FileSystem jar = FileSystems.newFileSystem(classes)) {
          checkClasses(jar.getPath("/"), type);
        }
      }
    }
  }

  private static void checkClasses(Path root, Class<?> oneOfThem) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      List<Path> classes = files.filter(file -> file.toString().endsWith(".class")).toList();
      assertThat(classes.stream().map(file -> file.getFileName().toString()).toList())
          .contains(oneOfThem.getSimpleName() + ".class");
      for (Path file : classes) {
        assertWithMessage("%s", file).that(text(file)).doesNotContain("makeConcatWithConstants");
      }
    }
  }

  private static String text(Path file) throws IOException {
    return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
  }
}
