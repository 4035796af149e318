package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.Configuration;
import java.lang.module.ModuleFinder;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;

/**
 * A launcher in a named module, which other tests do without: it computes, and its sources can be
 * found from the runtime's module. The modules' classes are not those that this test is compiled
 * against, hence the reflection.
 */
final class NamedModuleTest {
  private static ClassLoader loader;
  private static Class<?> launcher;

  @BeforeAll
  static void loadModules() throws ReflectiveOperationException, URISyntaxException {
    List<Path> path = new ArrayList<>();
    for (Class<?> type : List.of(Catalogue.class, Accelerator.class, KernelSpec.class)) {
      path.add(Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()));
    }
    Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .map(Path::of)
        .filter(entry -> entry.getFileName().toString().matches("jcuda-[0-9.]+\\.jar"))
        .forEach(path::add);
    Configuration configuration =
        ModuleLayer.boot()
            .configuration()
            .resolve(
                ModuleFinder.of(path.toArray(Path[]::new)),
                ModuleFinder.of(),
                List.of("org.powerattention.kernels"));
    loader =
        ModuleLayer.boot()
            .defineModulesWithOneLoader(configuration, null)
            .findLoader("org.powerattention.kernels");
    launcher = loader.loadClass("org.powerattention.kernels.Power2Dim64UngatedLauncher");
    assertThat(launcher.getModule().getName()).isEqualTo("org.powerattention.kernels");
  }

  @Test
  void launcherComputes() throws Exception {
    Class<?> accelerators = loader.loadClass("org.powerattention.runtime.Accelerator");
    Class<?> dtypes = loader.loadClass("org.powerattention.annotations.DType");
    Class<?> tensors = loader.loadClass("org.powerattention.runtime.Tensor");
    Object bf16 = dtypes.getMethod("valueOf", String.class).invoke(null, "BF16");
    float[] values = new float[64];
    for (int i = 0; i < values.length; i++) {
      values[i] = i - 31;
    }
    try (AutoCloseable device = (AutoCloseable) accelerators.getMethod("cpu").invoke(null);
        AutoCloseable attention =
            (AutoCloseable) launcher.getMethod("on", accelerators).invoke(null, device);
        AutoCloseable x =
            (AutoCloseable)
                accelerators
                    .getMethod("tensor", dtypes, float[].class, long[].class)
                    .invoke(device, bf16, values, new long[] {1, 1, 1, 64});
        AutoCloseable y =
            (AutoCloseable)
                launcher
                    .getMethod("forward", tensors, tensors, tensors)
                    .invoke(attention, x, x, x)) {
      // The mean of one value is that value.
      assertThat((float[]) tensors.getMethod("toFloats").invoke(y)).isEqualTo(values);
    }
  }

  @Test
  void sourcesAreFound() throws IOException {
    for (String suffix : List.of("", ".backward", ".serving")) {
      String name =
          "/META-INF/powerattention/" + launcher.getName().replace('.', '/') + suffix + ".sm_80.cu";
      try (InputStream stream = launcher.getResourceAsStream(name)) {
        assertWithMessage(name).that(stream).isNotNull();
      }
    }
  }
}
