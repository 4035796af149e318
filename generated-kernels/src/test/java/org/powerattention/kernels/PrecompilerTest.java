package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.Precompiler;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/** Kernels of the catalogue compiled as an application's build would. */
final class PrecompilerTest {
  private static final String LAUNCHER = "org.powerattention.kernels.Power1Dim32Launcher";

  @TempDir private Path output;

  @Test
  void everySourceThatADeviceMayUseBecomesMachineCode() throws IOException {
    Precompiler.main(new String[] {"sm_80", output.toString(), LAUNCHER});
    Map<String, Path> files = files();
    assertThat(files.keySet())
        .containsExactly(
            "Power1Dim32Launcher.sm_80.sm_80.cubin",
            "Power1Dim32Launcher.backward.sm_80.sm_80.cubin",
            "Power1Dim32Launcher.serving.sm_80.sm_80.cubin");
    for (Map.Entry<String, Path> file : files.entrySet()) {
      byte[] code = Files.readAllBytes(file.getValue());
      assertThat(Arrays.copyOf(code, 4)).isEqualTo(new byte[] {0x7f, 'E', 'L', 'F'});
      String kernel = file.getKey().contains("serving") ? "fold_window" : "gate_sum";
      assertWithMessage(file.getKey())
          .that(new String(code, StandardCharsets.ISO_8859_1))
          .contains(".text." + kernel);
    }
  }

  private Map<String, Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(output)) {
      return files
          .filter(Files::isRegularFile)
          .collect(Collectors.toMap(file -> file.getFileName().toString(), file -> file));
    }
  }

  @Test
  @Tag("gpu")
  void aProcessWithoutNvrtcUsesThem() throws Exception {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    String architecture;
    try (Accelerator gpu = Accelerator.cuda(0)) {
      // "CUDA device 0 (NVIDIA H200, sm_90)"
      architecture = gpu.name().replaceAll(".*, (sm_\\d+)\\)", "$1");
    }
    Precompiler.main(new String[] {architecture, output.toString(), LAUNCHER});
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dpowerattention.nvrtc=/none");
    command.add("-Dpowerattention.cache=" + Files.createDirectory(output.resolve("cache")));
    command.add("-cp");
    command.add(output + File.pathSeparator + System.getProperty("java.class.path"));
    command.add(WithoutNvrtc.class.getName());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertWithMessage(said).that(process.waitFor()).isEqualTo(0);
    try (Stream<Path> kernels = Files.walk(output.resolve("cache"))) {
      assertThat(kernels.filter(file -> file.toString().endsWith(".bin")).toList()).isEmpty();
    }
  }

  /** Uses all three parts of the operator; with q = k = v = dy = x, y and dq are s |x|^2 x. */
  static final class WithoutNvrtc {
    public static void main(String[] arguments) {
      float[] values = new float[32];
      double squares = 0;
      for (int i = 0; i < values.length; i++) {
        values[i] = (i - 15) / 8f;
        squares += (double) values[i] * values[i];
      }
      double factor = squares / Math.sqrt(values.length);
      try (Accelerator gpu = Accelerator.cuda(0);
          Power1Dim32Launcher attention = Power1Dim32Launcher.on(gpu);
          Tensor x = gpu.tensor(DType.BF16, values, 1, 1, 1, 32);
          Tensor logG = gpu.zeros(DType.FP32, 1, 1, 1);
          Tensor y = attention.forward(x, x, x, logG);
          Gradients gradients = attention.backward(x, x, x, logG, x);
          State state = attention.newState(1, 1);
          Tensor decoded = attention.decode(state, x, x, x, logG)) {
        for (Tensor result : List.of(y, gradients.dQ(), decoded)) {
          float[] numbers = result.toFloats();
          for (int i = 0; i < numbers.length; i++) {
            double expected = factor * values[i];
            if (!(Math.abs(numbers[i] - expected) <= 0.01 * Math.abs(expected))) {
              throw new AssertionError(numbers[i] + " in place of " + expected);
            }
          }
        }
      }
    }
  }
}
