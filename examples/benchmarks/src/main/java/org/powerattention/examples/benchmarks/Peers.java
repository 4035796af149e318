package org.powerattention.examples.benchmarks;

import com.google.gson.Gson;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Times of PyTorch's attention on the same shapes, by {@code peers.py} under the machine's own
 * Python: its cuDNN backend for forward and backward, the faster one for decoding.
 */
final class Peers {
  /**
   * What the script is asked for.
   *
   * @param forward shapes to time forward
   * @param training shapes to time forward, and forward with backward
   * @param decode batches to time decoding of
   * @param decodeHeads heads of those
   * @param decodeDim head size of those
   * @param decodeTokens tokens in their key/value caches
   */
  record Request(
      List<Case.Shape> forward,
      List<Case.Shape> training,
      List<Integer> decode,
      int decodeHeads,
      int decodeDim,
      int decodeTokens) {}

  /**
   * Time of decoding a token.
   *
   * @param name what was timed
   * @param milliseconds its time
   */
  record Decode(String name, double milliseconds) {}

  /** Times of a training step; as the script names them. */
  private static final class Step {
    double forward;
    double both;
  }

  /** What the script prints; null in a list where a measurement failed. */
  private static final class Report {
    double matmulTflops;
    String versions = "";
    List<@Nullable Double> forward = new ArrayList<>();
    List<@Nullable Step> training = new ArrayList<>();
    List<@Nullable Decode> decode = new ArrayList<>();
    List<String> failures = new ArrayList<>();
  }

  private final Request request;
  private final Report report;

  private Peers(Request request, Report report) {
    this.request = request;
    this.report = report;
  }

  /** Returns the bf16 rate of an 8192 x 8192 x 8192 product, TFLOP/s. */
  double matmulTflops() {
    return report.matmulTflops;
  }

  /** Returns what was measured, in words. */
  String versions() {
    return report.versions;
  }

  /** Returns the milliseconds of a causal forward call. */
  @Nullable Double forward(Case.Shape shape) {
    return find(request.forward, report.forward, shape);
  }

  /** Returns the milliseconds of a causal forward call and its backward call. */
  @Nullable Double forwardBackward(Case.Shape shape) {
    Step step = find(request.training, report.training, shape);
    return step == null ? null : step.both;
  }

  /** Returns the milliseconds that the backward call adds to the forward call. */
  @Nullable Double backward(Case.Shape shape) {
    Step step = find(request.training, report.training, shape);
    return step == null ? null : step.both - step.forward;
  }

  /** Returns the time of decoding one token of each sequence of a batch. */
  @Nullable Decode decode(int batch) {
    return find(request.decode, report.decode, batch);
  }

  private static <K, V> @Nullable V find(List<K> asked, List<@Nullable V> answers, K key) {
    int index = asked.indexOf(key);
    return index < 0 || index >= answers.size() ? null : answers.get(index);
  }

  /**
   * Runs the script; empty, with the reason printed, where Python, PyTorch or its GPU is missing.
   */
  static Optional<Peers> measure(Request request) throws IOException, InterruptedException {
    Gson gson = new Gson();
    Path script = Files.createTempFile("peers", ".py");
    try {
      try (InputStream source = Peers.class.getResourceAsStream("peers.py")) {
        Files.write(script, source.readAllBytes());
      }
      Process process;
      try {
        process =
            new ProcessBuilder("python3", script.toString(), gson.toJson(request))
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
      Report report = gson.fromJson(output, Report.class);
      report.failures.forEach(failure -> System.out.println("No peer of " + failure));
      return Optional.of(new Peers(request, report));
    } finally {
      Files.delete(script);
    }
  }
}
