package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.kernels.CudaFiles;

/**
 * Every source of the catalogue compiles with NVRTC for the architectures it is meant for, and its
 * kernels fit the registers. The register counts are left in {@code target/registers.csv}.
 */
class CatalogueCompilationTest {
  /** A few spilled registers at the edges of a loop do no harm; an array that spills does. */
  private static final int MOST_SPILLED_BYTES = 1024;

  private static final Map<String, List<KernelReport>> REPORTS = new ConcurrentSkipListMap<>();

  /** A source, and what it is to be compiled for. */
  record Compilation(String file, String architecture) {
    @Override
    public String toString() {
      return file + " for " + architecture;
    }

    /** Some kernels of its part, which every spec has. */
    List<String> kernels() {
      if (file.contains(".backward.")) {
        return List.of("state_gradient_walk", "query_gradients", "key_gradients");
      }
      return file.contains(".serving.")
          ? List.of("decode_rows_1", "fold_window")
          : List.of("state_pass", "joint_tokens", "output_pass", "attention");
    }
  }

  static Stream<Compilation> compilations() throws IOException {
    List<Compilation> compilations = new ArrayList<>();
    for (String file : CudaFiles.in(CudaFiles.emitted())) {
      String[] parts = file.split("\\.", -1); // launcher, perhaps a part, family, "cu"
      compilations.add(new Compilation(file, parts[parts.length - 2]));
    }
    // Between architectures that a family runs on nothing but the assembler differs.
    for (String launcher :
        List.of("Power1Dim128Launcher", "Power2Dim64Launcher", "Power2Dim128Fp16Launcher")) {
      compilations.add(new Compilation(launcher + ".sm_80.cu", "sm_89"));
      compilations.add(new Compilation(launcher + ".sm_80.cu", "sm_90"));
    }
    compilations.add(new Compilation("Power2Dim64Launcher.sm_80.cu", "sm_100"));
    compilations.add(new Compilation("Power2Dim64Launcher.backward.sm_80.cu", "sm_100"));
    compilations.add(new Compilation("Power2Dim64Fp32Launcher.sm_80.cu", "sm_120"));
    return compilations.stream();
  }

  @Execution(ExecutionMode.CONCURRENT)
  @ParameterizedTest(name = "{0}")
  @MethodSource("compilations")
  void compilesWithoutLargeSpills(Compilation compilation) throws IOException {
    String file = compilation.file();
    String source = Files.readString(CudaFiles.emitted().resolve(file));
    List<KernelReport> reports = KernelReport.compile(source, file, compilation.architecture());
    REPORTS.put(compilation.toString(), reports);

    assertThat(reports.stream().map(KernelReport::kernel).toList())
        .containsAtLeastElementsIn(compilation.kernels());
    for (KernelReport report : reports) {
      assertWithMessage("%s of %s: bytes spilled", report.kernel(), compilation)
          .that(report.spillStores())
          .isLessThan(MOST_SPILLED_BYTES);
      switch (report.kernel()) {
        case "output_pass", "attention" -> checkMovedRegisters(source, report, "kOutput", "k");
        case "state_pass", "state_gradient_walk" ->
            checkMovedRegisters(source, report, "kState", "kState");
        default -> {}
      }
    }
  }

  /**
   * Where warpgroups give registers to others, these are among those that the kernel is launched
   * with; else the others would wait for ever.
   */
  private static void checkMovedRegisters(
      String source, KernelReport report, String block, String moved) {
    if (!source.contains("setmaxnreg")) {
      return;
    }
    int threads = constant(source, block + "Threads");
    int group = constant(source, "kGroup");
    int needed =
        (threads - group) * constant(source, moved + "MultiplierRegisters")
            + group * constant(source, moved + "BringerRegisters");
    assertWithMessage("registers of %s", report.kernel())
        .that(report.registers() * threads)
        .isAtLeast(needed);
  }

  private static int constant(String source, String name) {
    Matcher constant = Pattern.compile("constexpr int " + name + " = (\\d+);").matcher(source);
    assertWithMessage(name).that(constant.find()).isTrue();
    return Integer.parseInt(constant.group(1));
  }

  @AfterAll
  static void writeReport() throws IOException {
    List<String> lines = new ArrayList<>();
    lines.add("source,kernel,registers,spilled bytes");
    REPORTS.forEach(
        (compilation, reports) ->
            reports.forEach(
                report ->
                    lines.add(
                        String.join(
                            ",",
                            compilation,
                            report.kernel(),
                            Integer.toString(report.registers()),
                            Integer.toString(report.spillStores())))));
    Path target = Path.of(System.getProperty("basedir", ""), "target");
    Files.createDirectories(target);
    Files.write(target.resolve("registers.csv"), lines);
  }
}
