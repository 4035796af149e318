package org.powerattention.examples.benchmarks;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ThroughputPlotTest {
  /** Rows of an old version's training calls; tests run in the module's folder. */
  private static final Path RESULTS = Path.of("src/test/resources/training.json");

  @Test
  void seriesAreTokensPerSecondOfEachFormAndOfThePeer() {
    List<Row> rows =
        List.of(
            row("forward", "chunked", 4096, 2, 1.0),
            row("forward", "chunked", 8192, 4, 4.0),
            row("forward", "attention", 4096, 1, 1.0),
            row("backward", "chunked", 4096, 1, 1.0));
    Map<String, SortedMap<Integer, Double>> series = ThroughputPlot.series(rows, "forward");
    assertThat(series)
        .containsExactly(
            "power attention, chunked form", new TreeMap<>(Map.of(4096, 2.048, 8192, 2.048)),
            "power attention, attention form", new TreeMap<>(Map.of(4096, 4.096)),
            "peer", new TreeMap<>(Map.of(4096, 4.096, 8192, 2.048)));
  }

  @Test
  void resultsOfARunAreDrawn(@TempDir Path folder) throws IOException {
    List<Row> rows = ThroughputPlot.rows(RESULTS);
    assertThat(ThroughputPlot.series(rows, "forward+backward").keySet())
        .containsExactly(
            "power attention, attention form",
            "power attention, chunked form",
            "PyTorch SDPA, cuDNN, BF16");
    Path plot = folder.resolve("plot.png");
    assertThat(ThroughputPlot.write(rows, plot)).isTrue();
    BufferedImage image = ImageIO.read(plot.toFile());
    assertThat(image.getWidth()).isEqualTo(800);
  }

  @Test
  void decodingIsNotAmongTheCalls() throws IOException {
    Path measured = Path.of("results/h200.json");
    assertThat(Files.readString(measured)).contains("\"decode\"");
    List<Row> rows = ThroughputPlot.rows(measured);
    assertThat(rows).isNotEmpty();
    assertThat(rows.stream().map(Row::direction).distinct().toList()).doesNotContain("decode");
  }

  @Test
  void oneLengthMakesNoPlot(@TempDir Path folder) throws IOException {
    Path plot = folder.resolve("plot.png");
    assertThat(ThroughputPlot.write(List.of(row("forward", "chunked", 4096, 2, 1.0)), plot))
        .isFalse();
    assertThat(Files.exists(plot)).isFalse();
  }

  @Test
  void anotherFileIsRefused(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("x.json"), "{\"a\": 1}");
    IOException refused = assertThrows(IOException.class, () -> ThroughputPlot.rows(file));
    assertThat(refused).hasMessageThat().contains("x.json is not a results' file");
  }

  private static Row row(String direction, String form, int tokens, double ms, double peer) {
    return new Row(
        direction, form, 2, 1, tokens, 8, 64, 1024, "BF16", ms, "peer", peer, peer / ms, 1, null,
        null);
  }
}
