package org.powerattention.examples.benchmarks;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Times of PyTorch's cuDNN flash attention on the same shapes, by {@code peers.py} under the
 * machine's own Python.
 *
 * @param matmulTflops bf16 rate of an 8192 x 8192 x 8192 product, TFLOP/s
 * @param versions what was measured, in words
 * @param milliseconds time of a causal forward call, by shape
 */
record Peers(double matmulTflops, String versions, Map<Case.Shape, Double> milliseconds) {
  /** What the script prints. */
  private static final class Report {
    double matmulTflops;
    String versions = "";
    double[] milliseconds = {};
  }

  /**
   * Runs the script; empty, with the reason printed, where Python, PyTorch or its GPU is missing.
   */
  static Optional<Peers> measure(List<Case.Shape> shapes) throws IOException, InterruptedException {
    Gson gson = new Gson();
    Path script = Files.createTempFile("peers", ".py");
    try {
      try (InputStream source = Peers.class.getResourceAsStream("peers.py")) {
        Files.write(script, source.readAllBytes());
      }
      Process process;
      try {
        process =
            new ProcessBuilder("python3", script.toString(), gson.toJson(shapes))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
      } catch (IOException e) {
        System.out.println("No peers: " + e.getMessage());
        return Optional.empty();
      }
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        System.out.println("No peers: python3 has no PyTorch that can use a GPU");
        return Optional.empty();
      }
      Report report = gson.fromJson(output, new TypeToken<Report>() {});
      Map<Case.Shape, Double> times = new HashMap<>();
      for (int i = 0; i < shapes.size(); i++) {
        times.put(shapes.get(i), report.milliseconds[i]);
      }
      return Optional.of(new Peers(report.matmulTflops, report.versions, times));
    } finally {
      Files.delete(script);
    }
  }
}
