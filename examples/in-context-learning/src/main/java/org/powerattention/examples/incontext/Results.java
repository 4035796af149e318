package org.powerattention.examples.incontext;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** Outcomes of one task as tables. */
record Results(Task task, List<Outcome> outcomes) {
  Results {
    outcomes = List.copyOf(outcomes);
  }

  /**
   * Scored positions that are averaged.
   *
   * @param first the first, from 0
   * @param end the one after the last
   */
  record Bin(int first, int end) {
    /** Returns the mean over it. */
    double mean(double[] values) {
      return Arrays.stream(values, first, end).average().orElseThrow();
    }

    /** Returns the middle as logarithms see it. */
    double middle() {
      return Math.sqrt((first + 1.0) * end);
    }
  }

  /** Returns bins of equal width in the logarithm, two for each doubling. */
  List<Bin> bins() {
    int positions = outcomes.get(0).lossByPosition().length;
    List<Bin> bins = new ArrayList<>();
    int first = 0;
    for (int half = 1; first < positions; half++) {
      int end = Math.min(positions, (int) Math.round(Math.pow(2, half / 2.0)));
      if (end > first) {
        bins.add(new Bin(first, end));
        first = end;
      }
    }
    return bins;
  }

  List<Outcome> of(Arm arm) {
    return outcomes.stream().filter(outcome -> outcome.run().arm() == arm).toList();
  }

  /** Returns the mean over an arm's seeds. */
  double mean(Arm arm, ToDoubleFunction<Outcome> value) {
    return of(arm).stream().mapToDouble(value).average().orElseThrow();
  }

  /** Returns the standard deviation over an arm's seeds; 0 for one. */
  double deviation(Arm arm, ToDoubleFunction<Outcome> value) {
    double mean = mean(arm, value);
    int count = of(arm).size();
    double sum =
        of(arm).stream().mapToDouble(o -> Math.pow(value.applyAsDouble(o) - mean, 2)).sum();
    return count < 2 ? 0 : Math.sqrt(sum / (count - 1));
  }

  double optimum(Bin bin) {
    double sum = 0;
    for (int i = bin.first; i < bin.end; i++) {
      sum += task.optimum(i);
    }
    return sum / (bin.end - bin.first);
  }

  /** Writes three CSV files, named for the task. */
  void write(Path directory) throws IOException {
    List<String> positions = new ArrayList<>();
    positions.add("task,arm,seed,first_position,last_position,loss_nats,optimum_nats");
    List<String> training = new ArrayList<>();
    training.add("task,arm,seed,step,tokens,flops,seconds,cpu_seconds,loss_nats");
    List<String> arms = new ArrayList<>();
    arms.add(
        "task,arm,parameters,state_bytes,weight_flops_per_token,state_flops_per_token,"
            + "weight_to_state_flops");
    for (Outcome outcome : outcomes) {
      Run run = outcome.run();
      String key = task.name() + "," + run.arm().key() + ",";
      for (Bin bin : bins()) {
        positions.add(
            key
                + line(
                    "%d,%d,%d,%.5f,%.5f",
                    run.seed(),
                    bin.first,
                    bin.end - 1,
                    bin.mean(outcome.lossByPosition()),
                    optimum(bin)));
      }
      for (Curve point : outcome.curve()) {
        training.add(
            key
                + line(
                    "%d,%d,%d,%.4g,%.2f,%.2f,%.5f",
                    run.seed(),
                    point.step(),
                    (long) point.step() * task.batch() * task.length(),
                    outcome.flops(point.step()),
                    point.seconds(),
                    point.cpuSeconds(),
                    point.loss()));
      }
    }
    for (Arm arm : Arm.values()) {
      Outcome any = of(arm).get(0);
      arms.add(
          task.name()
              + ","
              + arm.key()
              + ","
              + line(
                  "%d,%d,%.0f,%.0f,%.3f",
                  any.parameters(),
                  stateBytes(arm),
                  any.weightFlops(),
                  any.stateFlops(),
                  any.weightFlops() / any.stateFlops()));
    }
    Files.createDirectories(directory);
    Files.write(directory.resolve(task.name() + "-positions.csv"), positions);
    Files.write(directory.resolve(task.name() + "-training.csv"), training);
    Files.write(directory.resolve(task.name() + "-arms.csv"), arms);
  }

  long stateBytes(Arm arm) {
    Size size = of(arm).get(0).run().size();
    return size.layers() * arm.stateBytes(size, task.length());
  }

  /** Returns a table for people: one line for each arm, loss early, in the middle and late. */
  String table() {
    List<Bin> bins = bins();
    List<Bin> shown = List.of(bins.get(0), bins.get(bins.size() / 2), bins.get(bins.size() - 1));
    StringBuilder table = new StringBuilder();
    table.append(line("%-16s %10s %10s", "loss in nats at", "state", "all"));
    for (Bin bin : shown) {
      table.append(line(" %16s", (bin.first + 1) + " to " + bin.end));
    }
    table.append(line(" %9s %9s%n", "seconds", "CPU s"));
    for (Arm arm : Arm.values()) {
      table.append(
          line(
              "%-16s %8.1f K %10.3f",
              arm.title(),
              stateBytes(arm) / 1024.0,
              mean(arm, o -> Arrays.stream(o.lossByPosition()).average().orElseThrow())));
      for (Bin bin : shown) {
        table.append(
            line(
                " %8.3f +- %.3f",
                mean(arm, o -> bin.mean(o.lossByPosition())),
                deviation(arm, o -> bin.mean(o.lossByPosition()))));
      }
      table.append(
          line(
              " %9.1f %9.1f%n",
              mean(arm, o -> o.curve().get(o.curve().size() - 1).seconds()),
              mean(arm, o -> o.curve().get(o.curve().size() - 1).cpuSeconds())));
    }
    if (!Double.isNaN(task.optimum(0))) {
      table.append(line("%-16s %10s %10s", "the best possible", "", ""));
      shown.forEach(bin -> table.append(line(" %8.3f         ", optimum(bin))));
      table.append(line("%n"));
    }
    return table.toString();
  }

  private static String line(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
