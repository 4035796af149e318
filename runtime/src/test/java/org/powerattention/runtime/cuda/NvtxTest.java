package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.runtime.FirstCall;

/** Profiling ranges in processes that ask for them, from a library that prints them. */
final class NvtxTest {
  private static final String LIBRARY =
      """
      #include <stdio.h>
      int nvtxRangePushA(const char* name) { printf("push %s\\n", name); return fflush(stdout); }
      int nvtxRangePop(void) { printf("pop\\n"); return fflush(stdout); }
      """;

  @TempDir private Path directory;

  private static JavaProcess firstCall(String library) throws Exception {
    return JavaProcess.start("", List.of("-Dpowerattention.nvtx=" + library), FirstCall.class);
  }

  @Test
  void theLibrarysFunctionsAreCalled() throws Exception {
    Path library = directory.resolve("libranges.so");
    Path source = Files.writeString(directory.resolve("ranges.c"), LIBRARY);
    Process compiler;
    try {
      compiler =
          new ProcessBuilder("cc", "-shared", "-fPIC", "-o", library.toString(), source.toString())
              .inheritIO()
              .start();
    } catch (IOException e) {
      Assumptions.abort("no C compiler: " + e.getMessage());
      return;
    }
    assertThat(compiler.waitFor()).isEqualTo(0);
    assertThat(firstCall(library.toString()).finish()).isEqualTo("push forward Layer\npop");
  }

  @Test
  void aMissingLibraryIsAWarning() throws Exception {
    JavaProcess process = firstCall("libnone.so.1");
    assertThat(process.finish()).isEmpty();
    assertThat(process.errors()).contains("no profiling ranges by libnone.so.1");
    assertThat(process.errors()).contains("libnone.so.1: cannot open shared object file");
  }

  @Test
  void aLibraryWithoutTheFunctionsIsAWarning() throws Exception {
    JavaProcess process = firstCall("libc.so.6");
    assertThat(process.finish()).isEmpty();
    assertThat(process.errors()).contains("nvtxRangePushA");
  }
}
