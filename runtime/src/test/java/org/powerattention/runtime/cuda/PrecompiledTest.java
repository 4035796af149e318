package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.LoadedProgram;

/** Sources compiled by a real NVRTC, and used by the CUDA backend over a fake driver. */
final class PrecompiledTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);
  private static final String SOURCE = "META-INF/powerattention/p/Layer.sm_80.cu";

  /** What an application's class loader knows; a launcher stands for all of its classes. */
  @TempDir private Path classes;

  private final FakeCuda cuda = new FakeCuda();
  private final List<String> warnings = new ArrayList<>();
  private final Logger logger = Logger.getLogger("org.powerattention");
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord record) {
          warnings.add(record.getMessage().replace("{0}", record.getParameters()[0].toString()));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  /** What is copied into the application as its launcher. */
  static final class Launcher {}

  @BeforeEach
  void write() throws IOException {
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    writeSource(NvrtcTest.SOURCE);
    String name = Launcher.class.getName().replace('.', '/') + ".class";
    Path file = classes.resolve(name);
    Files.createDirectories(file.getParent());
    try (InputStream own = Launcher.class.getClassLoader().getResourceAsStream(name)) {
      Files.write(file, own.readAllBytes());
    }
  }

  @AfterEach
  void restore() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
  }

  private void writeSource(String text) throws IOException {
    Path file = classes.resolve(SOURCE);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private CudaPrecompiler.Outcome precompile(Integer... capabilities) throws IOException {
    return CudaPrecompiler.run(List.of(capabilities), classes, List.of(classes.toString()));
  }

  private Path cubin(String architecture) {
    return classes.resolve(SOURCE.replace(".cu", "." + architecture + ".cubin"));
  }

  /** Opens the application's launcher, and decodes, on a device. */
  private void useLauncher() throws Exception {
    URL[] path = {classes.toUri().toURL()};
    try (URLClassLoader application = new URLClassLoader(path, null);
        Backend device = cuda.open()) {
      Class<?> anchor = application.loadClass(Launcher.class.getName());
      KernelProgram program = FakeCuda.program("Layer", SPEC, anchor, "/" + SOURCE);
      try (LoadedProgram loaded = device.load(program)) {
        assertThat(loaded.decodeWorkspaceBytes(1, 1, 1)).isGreaterThan(0L);
      }
    }
  }

  @Test
  void aDeviceTakesItsCodeAndNeedsNoCompiler() throws Exception {
    CudaPrecompiler.Outcome outcome = precompile(80, 90);
    assertThat(outcome.compiled().keySet()).containsExactly(name("sm_80"), name("sm_90")).inOrder();

    useLauncher(); // on 9.0
    assertThat(cuda.compilers).isEqualTo(0);
    byte[] code =
        Nvrtc.get().compile(NvrtcTest.SOURCE, "x.cu", "a test", new Target("sm_90", true));
    assertThat(cuda.modules).hasSize(2); // forward and serving
    for (byte[] module : cuda.modules) {
      assertThat(module).isEqualTo(code);
    }
    assertThat(warnings).isEmpty();
  }

  private static String name(String architecture) {
    return SOURCE.replace(".cu", "." + architecture + ".cubin");
  }

  @Test
  void codeOfAnotherArchitectureIsNotTaken() throws Exception {
    precompile(80, 90);
    cuda.capability = 86;
    useLauncher();
    assertThat(cuda.compilers).isGreaterThan(0);
    assertThat(warnings).isEmpty();
  }

  @Test
  void staleCodeIsNotTakenAndThatIsSaidOnce() throws Exception {
    precompile(90);
    writeSource(NvrtcTest.SOURCE + "// changed\n");
    useLauncher();
    useLauncher();
    assertThat(cuda.compilers).isGreaterThan(0);
    assertThat(warnings).hasSize(1);
    assertThat(warnings.get(0)).contains("Layer.sm_80.sm_90.cubin");

    assertThat(precompile(90).compiled()).hasSize(1);
    int before = cuda.compilers;
    useLauncher();
    assertThat(cuda.compilers).isEqualTo(before);
  }

  @Test
  void noAlteredOrShortenedEntryIsTaken() throws Exception {
    precompile(90);
    byte[] entry = Files.readAllBytes(cubin("sm_90"));
    String key = Precompiled.key(NvrtcTest.SOURCE, new Target("sm_90", true));
    assertThat(Precompiled.fault(entry, key)).isNull();
    for (int i = 0; i < entry.length; i += 97) {
      entry[i] ^= 1;
      assertWithMessage("byte %s", i).that(Precompiled.fault(entry, key)).isEqualTo("is damaged");
      entry[i] ^= 1;
    }
    for (int length : new int[] {0, 63, 64, entry.length - 1}) {
      assertThat(Precompiled.fault(Arrays.copyOf(entry, length), key)).isEqualTo("is damaged");
    }
    String other = Precompiled.key(NvrtcTest.SOURCE, new Target("sm_80", true));
    assertThat(Precompiled.fault(entry, other)).contains("another source");
  }

  @Test
  void whatFitsItsSourceIsLeftAsItIs() throws Exception {
    precompile(90);
    Files.setLastModifiedTime(cubin("sm_90"), FileTime.fromMillis(0));
    CudaPrecompiler.Outcome outcome = precompile(80, 90);
    assertThat(outcome.compiled().keySet()).containsExactly(name("sm_80"));
    assertThat(outcome.kept()).isEqualTo(1);
    assertThat(Files.getLastModifiedTime(cubin("sm_90")).toMillis()).isEqualTo(0);
    Files.write(cubin("sm_90"), "damaged".getBytes(StandardCharsets.UTF_8));
    assertThat(precompile(90).compiled().keySet()).containsExactly(name("sm_90"));
  }

  @Test
  void hoppersOwnSourcesAreCompiledForHopperAlone() throws Exception {
    Path own = classes.resolve(SOURCE.replace("sm_80", "sm_90a"));
    Files.writeString(own, NvrtcTest.SOURCE);
    assertThat(precompile(89, 90).compiled().keySet())
        .containsExactly(
            name("sm_89"), name("sm_90"), SOURCE.replace("sm_80.cu", "sm_90a.sm_90a.cubin"));
  }

  @Test
  void whatCannotBeCompiledForIsRefusedWithWhatCan() {
    assertThat(assertThrows(IllegalArgumentException.class, () -> precompile(75)))
        .hasMessageThat()
        .contains("sm_75; allowed: sm_80 or later, of those that NVRTC");
    IllegalArgumentException nowhere =
        assertThrows(
            IllegalArgumentException.class,
            () -> CudaPrecompiler.run(List.of(80), classes, List.of("p.NoLauncher")));
    assertThat(nowhere).hasMessageThat().contains("p.NoLauncher is neither a directory nor");
  }
}
