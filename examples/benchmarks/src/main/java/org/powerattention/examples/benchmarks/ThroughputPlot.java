package org.powerattention.examples.benchmarks;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import javax.imageio.ImageIO;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Tokens per second against the length of the context: degree 2, head size 64, BF16, one batch
 * entry of 8 heads, each form and the peer of the same run.
 */
final class ThroughputPlot {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 500;

  /** Colours that remain apart for colour-blind eyes (Okabe and Ito). */
  private static final Color[] COLOURS = {
    new Color(0xE69F00), new Color(0x0072B2), new Color(0x777777)
  };

  private static final double MILLION_PER_MILLISECOND = 1e-3; // tokens / ms as 10^6 tokens / s

  private ThroughputPlot() {}

  /**
   * Returns million tokens per second by tokens of context, by series: a direction's own forms and
   * its peer.
   */
  static Map<String, SortedMap<Integer, Double>> series(List<Row> rows, String direction) {
    Map<String, SortedMap<Integer, Double>> series = new LinkedHashMap<>();
    for (Row row : rows) {
      boolean shown =
          row.direction().equals(direction)
              && row.degree() == 2
              && row.b() == 1
              && row.h() == 8
              && row.d() == 64
              && row.dtype().equals("BF16");
      if (!shown) {
        continue;
      }
      series
          .computeIfAbsent("power attention, " + row.form() + " form", name -> new TreeMap<>())
          .put(row.t(), row.t() / row.ms() * MILLION_PER_MILLISECOND);
      if (row.peer() != null && row.peer_ms() != null) {
        series
            .computeIfAbsent(row.peer(), name -> new TreeMap<>())
            .put(row.t(), row.t() / row.peer_ms() * MILLION_PER_MILLISECOND);
      }
    }
    return series;
  }

  /** Returns the rows of a results' file that are calls on whole sequences. */
  static List<Row> rows(Path file) throws IOException {
    try {
      JsonArray results = JsonParser.parseString(Files.readString(file)).getAsJsonArray();
      List<Row> rows = new ArrayList<>();
      for (JsonElement element : results) {
        JsonObject result = element.getAsJsonObject();
        if (Row.DIRECTIONS.contains(result.get("direction").getAsString())) {
          rows.add(new Gson().fromJson(result, Row.class));
        }
      }
      return rows;
    } catch (JsonParseException | IllegalStateException e) {
      throw new IOException(file + " is not a results' file of these benchmarks: " + e, e);
    }
  }

  /**
   * Writes a plot, as PNG.
   *
   * @return whether there was anything to plot: at least two lengths
   */
  static boolean write(List<Row> rows, Path plot) throws IOException {
    for (String direction : List.of("forward+backward", "forward")) {
      Map<String, SortedMap<Integer, Double>> series = series(rows, direction);
      if (series.values().stream().anyMatch(points -> points.size() > 1)) {
        try (OutputStream out = Files.newOutputStream(plot)) {
          ImageIO.write(BitmapEncoder.getBufferedImage(chart(series, direction)), "png", out);
        }
        return true;
      }
    }
    return false;
  }

  private static XYChart chart(Map<String, SortedMap<Integer, Double>> series, String direction) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(direction.replace("+", " + ") + ", degree 2, head size 64, 8 heads, BF16")
            .xAxisTitle("tokens of context")
            .yAxisTitle("million tokens per second")
            .build();
    XYStyler styler = chart.getStyler();
    styler.setXAxisTickLabelsFormattingFunction(
        doublings -> String.format(Locale.ROOT, "%,d", Math.round(Math.pow(2, doublings))));
    styler.setYAxisMin(0.0);
    styler.setLocale(Locale.ROOT);
    styler.setLegendPosition(LegendPosition.OutsideS);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setSeriesColors(COLOURS);
    styler.setMarkerSize(9);
    series.forEach(
        (name, points) ->
            chart
                .addSeries(
                    name,
                    points.keySet().stream().mapToDouble(t -> Math.log(t) / Math.log(2)).toArray(),
                    points.values().stream().mapToDouble(Double::doubleValue).toArray())
                .setMarker(SeriesMarkers.CIRCLE));
    return chart;
  }
}
