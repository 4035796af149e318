package org.powerattention.examples.quickstart;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws recall against the number of associations stored, one line for each memory. */
final class RecallPlot {
  private static final int WIDTH = 1000;
  private static final int HEIGHT = 600;

  /** Colours that remain apart for colour-blind eyes (Okabe and Ito). */
  private static final List<Color> COLOURS =
      List.of(new Color(0xE69F00), new Color(0x009E73), new Color(0x0072B2), new Color(0x777777));

  private static final List<Marker> MARKERS =
      List.of(
          SeriesMarkers.CIRCLE, SeriesMarkers.SQUARE, SeriesMarkers.DIAMOND, SeriesMarkers.CROSS);

  private RecallPlot() {}

  /**
   * Writes the plot as a PNG file.
   *
   * @throws IOException if the file cannot be written
   */
  static void write(List<Measurement> measurements, Path file) throws IOException {
    Map<String, List<Measurement>> byMemory = new LinkedHashMap<>();
    for (Measurement measurement : measurements) {
      byMemory.computeIfAbsent(measurement.memory(), name -> new ArrayList<>()).add(measurement);
    }
    XYChart chart = emptyChart();
    int index = 0;
    for (List<Measurement> line : byMemory.values()) {
      addLine(chart, line, index++);
    }
    Path parent = file.toAbsolutePath().getParent();
    if (parent != null) {
      Files.createDirectories(parent);
    }
    try (OutputStream out = Files.newOutputStream(file)) {
      ImageIO.write(BitmapEncoder.getBufferedImage(chart), "png", out);
    }
  }

  private static XYChart emptyChart() {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title("What a state of fixed size remembers (head size " + Memories.HEAD_DIM + ")")
            .xAxisTitle("associations stored")
            .yAxisTitle("recalled right, %")
            .build();
    XYStyler styler = chart.getStyler();
    styler.setXAxisLogarithmic(true);
    styler.setXAxisDecimalPattern("#,###");
    styler.setYAxisMin(0.0);
    styler.setYAxisMax(105.0);
    styler.setLocale(Locale.ROOT);
    styler.setLegendPosition(LegendPosition.InsideSW);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBorderVisible(false);
    styler.setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 20));
    styler.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 17));
    styler.setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 15));
    styler.setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 16));
    styler.setMarkerSize(9);
    return chart;
  }

  private static void addLine(XYChart chart, List<Measurement> line, int index) {
    long least = line.get(0).bytes();
    long most = line.get(line.size() - 1).bytes();
    String size =
        least == most ? Table.bytes(most) : Table.bytes(least) + " to " + Table.bytes(most);
    XYSeries series =
        chart.addSeries(
            line.get(0).memory() + ": " + size,
            line.stream().mapToDouble(Measurement::stored).toArray(),
            line.stream().mapToDouble(m -> 100 * m.recall()).toArray());
    series.setLineColor(COLOURS.get(index % COLOURS.size()));
    series.setMarkerColor(COLOURS.get(index % COLOURS.size()));
    series.setMarker(MARKERS.get(index % MARKERS.size()));
    series.setLineStyle(new BasicStroke(2.5f));
  }
}
