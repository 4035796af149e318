package org.powerattention.examples.benchmarks;

import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;

/**
 * Times forward calls, training steps and decoding on a GPU from Java, beside PyTorch's attention
 * where there is a PyTorch, and prints tables. A peer's time is of the same run.
 */
public final class Benchmarks {
  /** What can be timed. */
  enum Part {
    FORWARD,
    TRAINING,
    DECODE,
    FAMILIES,
    STARTUP
  }

  private final EnumSet<Part> parts;
  private final @Nullable Peers peers;
  private final List<Result> results = new ArrayList<>();

  private Benchmarks(EnumSet<Part> parts, @Nullable Peers peers) {
    this.parts = parts;
    this.peers = peers;
  }

  /**
   * Runs the benchmarks.
   *
   * @param arguments optionally, the JSON file for the results, then which parts to run of {@code
   *     forward}, {@code training}, {@code decode}, {@code families} and {@code startup}; all if
   *     none is named. The plot goes beside the file. With {@code plot} in place of parts, it is
   *     drawn from the file as it is.
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 2 && arguments[1].equals("plot")) {
      Path file = Path.of(arguments[0]);
      plot(ThroughputPlot.rows(file), file);
      return;
    }
    EnumSet<Part> parts = EnumSet.noneOf(Part.class);
    try {
      for (int i = 1; i < arguments.length; i++) {
        parts.add(Part.valueOf(arguments[i].toUpperCase(Locale.ROOT)));
      }
    } catch (IllegalArgumentException e) {
      System.err.println(
          "usage: Benchmarks [results.json [forward] [training] [decode] [families] [startup] |"
              + " plot]");
      System.exit(2);
    }
    if (parts.isEmpty()) {
      parts = EnumSet.allOf(Part.class);
    }
    String obstacle = Accelerator.cudaUnavailable().orElse(null);
    if (obstacle != null) {
      System.out.println("All benchmarks but startup need a CUDA device: " + obstacle);
      parts.retainAll(EnumSet.of(Part.STARTUP));
      if (parts.isEmpty()) {
        return;
      }
    }
    Benchmarks benchmarks;
    if (parts.equals(EnumSet.of(Part.STARTUP))) {
      benchmarks = new Benchmarks(parts, null);
    } else {
      benchmarks = new Benchmarks(parts, Peers.measure(request(parts)).orElse(null));
      benchmarks.run();
    }
    if (parts.contains(Part.STARTUP)) {
      System.out.println(StartupRow.header());
      Startup.measure(benchmarks::add);
    }
    if (arguments.length > 0) {
      Path file = Path.of(arguments[0]);
      Files.writeString(
          file, new GsonBuilder().setPrettyPrinting().create().toJson(benchmarks.results) + "\n");
      System.out.println("Results: " + file);
      plot(
          benchmarks.results.stream().filter(Row.class::isInstance).map(Row.class::cast).toList(),
          file);
    }
  }

  /** Draws a plot beside the file of the results. */
  private static void plot(List<Row> rows, Path results) throws IOException {
    String name = results.getFileName().toString();
    Path plot = results.resolveSibling(name.replaceFirst("\\.json$", "") + ".png");
    try {
      boolean drawn = ThroughputPlot.write(rows, plot);
      System.out.println(drawn ? "Plot: " + plot : "No plot: it takes calls of two lengths.");
    } catch (LinkageError | InternalError e) {
      // A bare machine has no fonts or font library for Java to draw with; the table stands.
      System.out.printf("No plot: this machine lacks what Java draws text with (%s)%n", e);
    }
  }

  private static Peers.Request request(EnumSet<Part> parts) {
    return new Peers.Request(
        parts.contains(Part.FORWARD) ? shapes(forwardCases()) : List.of(),
        parts.contains(Part.TRAINING) ? shapes(Training.cases()) : List.of(),
        parts.contains(Part.DECODE) ? Decoding.BATCHES : List.of(),
        Decoding.HEADS,
        Operator.POWER_2_DIM_64.spec().headDim(),
        Decoding.CACHE_TOKENS);
  }

  private static List<Case.Shape> shapes(List<Case> cases) {
    return cases.stream().map(Case::shape).distinct().toList();
  }

  private void run() throws Exception {
    try (Accelerator device = Accelerator.cuda(0);
        GpuClock clock = new GpuClock()) {
      System.out.println(peers == null ? device.name() : peers.versions());
      if (peers != null) {
        System.out.printf(Locale.ROOT, "bf16 matmul 8192^3: %.0f TFLOP/s%n", peers.matmulTflops());
      }
      Map<Operator, Operator.Loaded> operators = load(device);
      if (parts.contains(Part.FORWARD)) {
        forward(device, operators);
      }
      if (parts.contains(Part.TRAINING)) {
        training(device, clock, operators);
      }
      operators.values().forEach(Operator.Loaded::close);
      if (parts.contains(Part.DECODE)) {
        decode(device, clock);
      }
      if (parts.contains(Part.FAMILIES)) {
        Families.measure(device, clock, this::add);
      }
    }
  }

  /** Loads the operators of the calls. */
  private Map<Operator, Operator.Loaded> load(Accelerator device) throws Exception {
    EnumSet<Operator> forward = EnumSet.noneOf(Operator.class);
    EnumSet<Operator> training = EnumSet.noneOf(Operator.class);
    if (parts.contains(Part.FORWARD)) {
      forwardCases().forEach(timed -> forward.add(timed.operator()));
    }
    if (parts.contains(Part.TRAINING)) {
      Training.cases().forEach(timed -> training.add(timed.operator()));
    }
    forward.addAll(training);
    return Operator.load(device, forward, training);
  }

  private void forward(Accelerator device, Map<Operator, Operator.Loaded> operators) {
    System.out.println(Row.header());
    for (Case timed : forwardCases()) {
      Operator.Loaded operator = operators.get(timed.operator());
      add(Row.forward(timed, Timer.forward(device, timed, operator), peers));
    }
  }

  private void training(
      Accelerator device, GpuClock clock, Map<Operator, Operator.Loaded> operators) {
    System.out.println(Row.header());
    for (Case timed : Training.cases()) {
      Training times = Training.of(device, clock, timed, operators.get(timed.operator()));
      add(Row.forwardBackward(timed, times, peers));
      add(Row.backward(timed, times, peers));
    }
  }

  private void decode(Accelerator device, GpuClock clock) {
    try (Decoding decoding = new Decoding(device, clock)) {
      System.out.printf(
          Locale.ROOT, "device copy: %.0f GB/s%n", decoding.copyBytesPerSecond() / 1e9);
      System.out.println(DecodeRow.header());
      for (int batch : Decoding.BATCHES) {
        decoding.rows(batch, peers).forEach(this::add);
      }
    }
  }

  private void add(Result result) {
    results.add(result);
    System.out.println(result);
  }

  private static List<Case> forwardCases() {
    List<Case> cases = new ArrayList<>();
    for (int tokens : new int[] {4096, 16_384, 65_536}) {
      for (Form form : new Form[] {Form.ATTENTION, Form.CHUNKED}) {
        cases.add(new Case(Operator.POWER_2_DIM_64, form, 1, tokens, 8));
      }
    }
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.ATTENTION, 4, 4096, 8));
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 65_536, 2));
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 8, 65_536, 12));
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
