package org.powerattention.examples.incontext;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleBiFunction;
import javax.imageio.ImageIO;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws results: the mean over seeds, one line for each arm. */
final class Plots {
  private static final int HEIGHT = 520;

  /** Colours that remain apart for colour-blind eyes (Okabe and Ito). */
  private static final Map<Arm, Color> COLOURS =
      Map.of(
          Arm.SOFTMAX, new Color(0x777777),
          Arm.POWER, new Color(0x009E73),
          Arm.LINEAR, new Color(0xE69F00),
          Arm.WINDOW, new Color(0x0072B2));

  private static final Map<Arm, Marker> MARKERS =
      Map.of(
          Arm.SOFTMAX, SeriesMarkers.CROSS,
          Arm.POWER, SeriesMarkers.SQUARE,
          Arm.LINEAR, SeriesMarkers.CIRCLE,
          Arm.WINDOW, SeriesMarkers.DIAMOND);

  /** Writes plots. */
  interface Drawing {
    /** Does it. */
    void draw() throws IOException;
  }

  private Plots() {}

  /** Draws, but says so and goes on where a slim machine lacks what Java draws text with. */
  static void unlessUndrawable(PrintStream out, Drawing drawing) throws IOException {
    try {
      drawing.draw();
    } catch (LinkageError | InternalError | RuntimeException e) {
      out.printf("Plots are left out, because Java cannot draw text here: %s%n", e);
    }
  }

  /** Writes the loss by position, and learning curves against three measures of effort. */
  static void write(Results results, Path directory) throws IOException {
    String name = results.task().name();
    write(directory.resolve(name + "-positions.png"), List.of(positions(results)));
    write(
        directory.resolve(name + "-training.png"),
        List.of(
            training(results, "optimiser steps", (outcome, point) -> point.step()),
            training(
                results,
                "training FLOPs, weights and state",
                (outcome, point) -> outcome.flops(point.step())),
            training(results, "seconds", (outcome, point) -> point.seconds())));
  }

  private static XYChart positions(Results results) {
    boolean map = results.task().stride() > 1;
    XYChart chart =
        chart(
            900,
            "Loss by position in context: " + results.task().name(),
            map ? "pairs seen, with the one asked for" : "position, bytes",
            "loss, nats");
    chart.getStyler().setXAxisLogarithmic(true);
    chart.getStyler().setXAxisDecimalPattern("#,###");
    List<Results.Bin> bins = results.bins();
    double[] x = bins.stream().mapToDouble(Results.Bin::middle).toArray();
    for (Arm arm : Arm.values()) {
      double[] y =
          bins.stream()
              .mapToDouble(bin -> results.mean(arm, o -> bin.mean(o.lossByPosition())))
              .toArray();
      double[] deviations =
          bins.stream()
              .mapToDouble(bin -> results.deviation(arm, o -> bin.mean(o.lossByPosition())))
              .toArray();
      String size = String.format(Locale.ROOT, ", %.1f KiB", results.stateBytes(arm) / 1024.0);
      line(chart, arm.title() + size, x, y, deviations, arm);
    }
    if (map) {
      double[] y = bins.stream().mapToDouble(results::optimum).toArray();
      XYSeries optimum = chart.addSeries("best possible", x, y);
      optimum.setMarker(SeriesMarkers.NONE);
      optimum.setLineColor(Color.BLACK);
      optimum.setLineStyle(
          new BasicStroke(
              1.5f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 10, new float[] {6}, 0));
    }
    return chart;
  }

  private static XYChart training(
      Results results, String effort, ToDoubleBiFunction<Outcome, Curve> measure) {
    XYChart chart =
        chart(560, "Loss while training: " + results.task().name(), effort, "loss, nats");
    for (Arm arm : Arm.values()) {
      List<Outcome> runs = results.of(arm);
      int points = runs.get(0).curve().size();
      double[] x = new double[points];
      double[] y = new double[points];
      for (int i = 0; i < points; i++) {
        int point = i;
        x[i] = results.mean(arm, o -> measure.applyAsDouble(o, o.curve().get(point)));
        y[i] = results.mean(arm, o -> o.curve().get(point).loss());
      }
      line(chart, arm.title(), x, y, new double[points], arm);
    }
    return chart;
  }

  /**
   * Writes how long a token takes against how many there are before it.
   *
   * @param x tokens before it
   * @param milliseconds for each arm, in their order
   */
  static void writeDecoding(Path file, List<Arm> arms, double[] x, List<double[]> milliseconds)
      throws IOException {
    XYChart chart = chart(900, "Time of a generated token", "tokens of context", "ms per token");
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setXAxisLogarithmic(true);
    chart.getStyler().setXAxisDecimalPattern("#,###");
    for (int i = 0; i < arms.size(); i++) {
      double[] y = milliseconds.get(i);
      line(chart, arms.get(i).title(), x, y, new double[y.length], arms.get(i));
    }
    write(file, List.of(chart));
  }

  private static XYChart chart(int width, String title, String x, String y) {
    XYChart chart =
        new XYChartBuilder()
            .width(width)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle(x)
            .yAxisTitle(y)
            .build();
    XYStyler styler = chart.getStyler();
    styler.setLocale(Locale.ROOT);
    styler.setLegendPosition(LegendPosition.OutsideS);
    styler.setLegendLayout(LegendLayout.Horizontal);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBorderVisible(false);
    styler.setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 18));
    styler.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 15));
    styler.setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    styler.setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    styler.setMarkerSize(7);
    return chart;
  }

  private static void line(
      XYChart chart, String name, double[] x, double[] y, double[] deviations, Arm arm) {
    XYSeries series = chart.addSeries(name, x, y, deviations);
    series.setLineColor(COLOURS.get(arm));
    series.setMarkerColor(COLOURS.get(arm));
    series.setMarker(MARKERS.get(arm));
    series.setLineStyle(new BasicStroke(2.2f));
  }

  private static void write(Path file, List<XYChart> charts) throws IOException {
    List<BufferedImage> images = new ArrayList<>();
    charts.forEach(chart -> images.add(BitmapEncoder.getBufferedImage(chart)));
    int width = images.stream().mapToInt(BufferedImage::getWidth).sum();
    BufferedImage all = new BufferedImage(width, HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D canvas = all.createGraphics();
    int x = 0;
    for (BufferedImage image : images) {
      canvas.drawImage(image, x, 0, null);
      x += image.getWidth();
    }
    canvas.dispose();
    Files.createDirectories(file.toAbsolutePath().getParent());
    try (OutputStream out = Files.newOutputStream(file)) {
      ImageIO.write(all, "png", out);
    }
  }
}
