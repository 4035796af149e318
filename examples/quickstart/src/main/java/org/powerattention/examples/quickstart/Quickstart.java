package org.powerattention.examples.quickstart;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.powerattention.runtime.Accelerator;

/** Memorises a document in states of fixed size and asks it back. */
public final class Quickstart {
  private Quickstart() {}

  /**
   * Runs the quick start.
   *
   * @param arguments the text: a file, or a directory whose sources and prose are taken (default:
   *     the working directory); then where to write the plot (default: {@code recall.png})
   * @throws IOException if the text cannot be read or the plot cannot be written
   */
  public static void main(String... arguments) throws IOException {
    // Nothing is shown on a screen, so that none is needed.
    System.setProperty("java.awt.headless", "true");
    Path text = Path.of(arguments.length > 0 ? arguments[0] : ".");
    Path plot = Path.of(arguments.length > 1 ? arguments[1] : "recall.png");
    run(Document.read(text), plot, System.out);
  }

  private static void run(Document document, Path plot, PrintStream out) throws IOException {
    try (Accelerator device = Accelerator.best();
        Degree1Launcher degree1 = Degree1Launcher.on(device);
        Degree2Launcher degree2 = Degree2Launcher.on(device);
        Degree3Launcher degree3 = Degree3Launcher.on(device);
        AssociativeMemory first =
            new PowerMemory(
                device, Degree1Launcher.SPEC, degree1::forward, degree1.newState(1, 1));
        AssociativeMemory second =
            new PowerMemory(
                device, Degree2Launcher.SPEC, degree2::forward, degree2.newState(1, 1));
        AssociativeMemory third =
            new PowerMemory(
                device, Degree3Launcher.SPEC, degree3::forward, degree3.newState(1, 1));
        AssociativeMemory softmax = new SoftmaxMemory()) {
      Experiment experiment = new Experiment(document, List.of(first, second, third, softmax));
      if (experiment.sizes().isEmpty()) {
        throw new IllegalArgumentException(
            document.name()
                + " has "
                + document.pairs().size()
                + " different pairs of words; needed: at least "
                + (Experiment.LEAST + 1));
      }
      out.printf(
          "Text: %s, %,d different pairs of words%n", document.name(), document.pairs().size());
      out.printf("Device: %s%n%n", device.name());
      out.printf("Each pair is stored as a key whose value is the next pair, then asked for it.%n");
      List<Measurement> measurements = withProgressBar(experiment);
      out.printf(
          "%nRecalled right, by number of associations stored:%n%n%s", Table.of(measurements));
      writePlot(measurements, plot, out);
    }
  }

  @SuppressWarnings("SystemConsoleNull") // a terminal or not matters only to how progress looks
  private static List<Measurement> withProgressBar(Experiment experiment) {
    // A log would get a line for each update; it gets the first and the last one.
    boolean terminal = System.console() != null;
    try (ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName("Memorising and asking")
            .setInitialMax(experiment.work())
            .setStyle(terminal ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(terminal ? 100 : 60_000)
            .build()) {
      return experiment.run(bar::stepBy);
    }
  }

  private static void writePlot(List<Measurement> measurements, Path plot, PrintStream out)
      throws IOException {
    try {
      RecallPlot.write(measurements, plot);
      out.printf("%nPlot: %s%n", plot.toAbsolutePath().normalize());
    } catch (LinkageError | InternalError | RuntimeException e) {
      // A bare machine has no fonts or font library for Java to draw with; the table stands.
      out.printf("%nNo plot: this machine lacks what Java draws text with (%s)%n", e);
    }
  }
}
