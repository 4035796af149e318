package org.powerattention.examples.benchmarks;

import com.google.gson.GsonBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;

/**
 * Times forward calls on a GPU from Java, beside PyTorch's cuDNN flash attention where there is a
 * PyTorch, and prints a table. A peer's time is of the same run.
 */
public final class Benchmarks {
  private Benchmarks() {}

  /**
   * Runs the benchmarks.
   *
   * @param arguments optionally, the JSON file for the results
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments.length > 1) {
      System.err.println("usage: Benchmarks [results.json]");
      System.exit(2);
    }
    String obstacle = Accelerator.cudaUnavailable().orElse(null);
    if (obstacle != null) {
      System.out.println("The benchmarks need a CUDA device: " + obstacle);
      return;
    }
    List<Case> cases = cases();
    @Nullable Peers peers =
        Peers.measure(cases.stream().map(Case::shape).distinct().toList()).orElse(null);
    List<Row> rows = new ArrayList<>();
    try (Accelerator device = Accelerator.cuda(0)) {
      System.out.println(peers == null ? device.name() : peers.versions());
      if (peers != null) {
        System.out.printf("bf16 matmul 8192^3: %.0f TFLOP/s%n", peers.matmulTflops());
      }
      System.out.println(Row.header());
      for (Case timed : cases) {
        Row row = Row.of(timed, Timer.milliseconds(device, timed), peers);
        rows.add(row);
        System.out.println(row);
      }
    }
    if (arguments.length == 1) {
      Path results = Path.of(arguments[0]);
      Files.writeString(
          results, new GsonBuilder().setPrettyPrinting().create().toJson(rows) + "\n");
      System.out.println("Results: " + results);
    }
  }

  private static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int tokens : new int[] {4096, 16_384, 65_536}) {
      for (Form form : new Form[] {Form.ATTENTION, Form.CHUNKED}) {
        cases.add(new Case(Operator.POWER_2_DIM_64, form, 1, tokens, 8));
      }
    }
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.ATTENTION, 4, 4096, 8));
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 65_536, 2));
    cases.add(new Case(Operator.POWER_2_DIM_128, Form.ATTENTION, 1, 16_384, 8));
    cases.add(new Case(Operator.POWER_2_DIM_128, Form.CHUNKED, 1, 65_536, 8));
    cases.add(new Case(Operator.POWER_2_DIM_32, Form.CHUNKED, 1, 65_536, 8));
    cases.add(new Case(Operator.POWER_1_DIM_64, Form.CHUNKED, 1, 65_536, 8));
    cases.add(new Case(Operator.POWER_1_DIM_128, Form.CHUNKED, 1, 65_536, 8));
    cases.add(new Case(Operator.POWER_2_DIM_64_FP16, Form.CHUNKED, 1, 16_384, 8));
    cases.add(new Case(Operator.POWER_2_DIM_64_FP32, Form.CHUNKED, 1, 16_384, 8));
    return cases;
  }
}
