package org.powerattention.examples.kotlin

import java.awt.Color
import java.nio.file.Path
import java.util.Locale
import javax.imageio.ImageIO
import kotlin.io.path.createParentDirectories
import kotlin.io.path.outputStream
import org.knowm.xchart.BitmapEncoder
import org.knowm.xchart.XYChart
import org.knowm.xchart.XYChartBuilder
import org.knowm.xchart.style.Styler.LegendPosition
import org.knowm.xchart.style.markers.SeriesMarkers

/** Lines of numbers against numbers, each with a name and a colour. */
internal class Plot(title: String, xAxis: String, yAxis: String) {
  private val chart: XYChart =
      XYChartBuilder().width(720).height(420).title(title).xAxisTitle(xAxis).yAxisTitle(yAxis).build()

  init {
    with(chart.styler) {
      locale = Locale.ROOT
      legendPosition = LegendPosition.InsideSE
      chartBackgroundColor = Color.WHITE
      isPlotBorderVisible = false
      xAxisMin = 0.0
      xAxisTickMarkSpacingHint = 100
      yAxisMin = 0.0
      setXAxisDecimalPattern("#,###")
    }
  }

  fun line(name: String, x: DoubleArray, y: DoubleArray, color: Color) {
    with(chart.addSeries(name, x, y)) {
      marker = SeriesMarkers.NONE
      lineColor = color
    }
  }

  /** Writes it to a PNG file; says so if this machine lacks what Java draws text with. */
  fun writeTo(file: Path) {
    val image =
        runCatching { BitmapEncoder.getBufferedImage(chart) }
            .onFailure { println("no plot: this machine lacks what Java draws text with ($it)") }
            .getOrNull() ?: return
    file.toAbsolutePath().createParentDirectories().outputStream().use { ImageIO.write(image, "png", it) }
    println("plot: $file")
  }
}
