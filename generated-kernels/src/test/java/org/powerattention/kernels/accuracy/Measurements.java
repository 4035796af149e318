package org.powerattention.kernels.accuracy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** All errors measured on one device. */
final class Measurements {
  private final String device;
  private final List<Measurement> measurements = new ArrayList<>();

  /** Starts with none, for a device of a short name such as {@code cpu}. */
  Measurements(String device) {
    this.device = device;
  }

  synchronized void add(List<Measurement> more) {
    measurements.addAll(more);
  }

  /** Writes all to {@code target/accuracy-<device>.csv} and prints the greatest as a table. */
  synchronized void report() throws IOException {
    measurements.sort(
        Comparator.comparing(Measurement::operator)
            .thenComparing(Measurement::what)
            .thenComparing(Measurement::gates)
            .thenComparing(Measurement::tokens));
    List<String> lines = new ArrayList<>();
    lines.add("operator,degree,headDim,chunk,dtype,gated,normalized,result,gates,tokens,error");
    for (Measurement m : measurements) {
      KernelSpec spec = m.spec();
      lines.add(
          String.format(
              Locale.ROOT,
              "%s,%d,%d,%d,%s,%b,%b,%s,%s,%d,%.3e",
              m.operator(),
              spec.degree(),
              spec.headDim(),
              spec.chunk(),
              spec.dtype(),
              spec.gated(),
              spec.normalized(),
              m.what(),
              m.gates(),
              m.tokens(),
              m.error()));
    }
    Path target = Path.of(System.getProperty("basedir", ""), "target");
    Files.createDirectories(target);
    Files.write(target.resolve("accuracy-" + device + ".csv"), lines);
    System.out.println(table());
  }

  /** Greatest errors per degree and head size (rows) and dtype and result (columns), Markdown. */
  private String table() {
    Map<String, Map<String, Double>> rows = new TreeMap<>();
    for (Measurement m : measurements) {
      String row = String.format("| %d | %3d |", m.spec().degree(), m.spec().headDim());
      rows.computeIfAbsent(row, key -> new TreeMap<>())
          .merge(m.spec().dtype() + " " + m.what(), m.error(), Math::max);
    }
    List<Measurement.Result> results =
        measurements.stream().map(Measurement::what).distinct().sorted().toList();
    StringBuilder table =
        new StringBuilder("\nGreatest relative L2 error against fp64, " + device + "\n\n| p | d |");
    StringBuilder rule = new StringBuilder("\n|---|---|");
    for (DType dtype : DType.values()) {
      for (Measurement.Result result : results) {
        table.append(' ').append(dtype).append(' ').append(result).append(" |");
        rule.append("---|");
      }
    }
    table.append(rule).append('\n');
    rows.forEach(
        (row, errors) -> {
          table.append(row);
          for (DType dtype : DType.values()) {
            for (Measurement.Result result : results) {
              Double error = errors.get(dtype + " " + result);
              table.append(error == null ? " - |" : String.format(Locale.ROOT, " %.1e |", error));
            }
          }
          table.append('\n');
        });
    return table.toString();
  }
}
