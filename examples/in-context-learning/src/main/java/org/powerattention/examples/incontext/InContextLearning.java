package org.powerattention.examples.incontext;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.powerattention.runtime.Accelerator;

/** Trains the arms on the tasks, or generates from what has been trained. */
public final class InContextLearning {
  private InContextLearning() {}

  /**
   * Runs it.
   *
   * @param arguments {@code train}, {@code map} or {@code text} (one of the two tasks only), or
   *     {@code generate}; the size, {@code small} by default; where results and checkpoints go; the
   *     text, a file or a directory
   */
  public static void main(String... arguments) {
    // Nothing is shown on a screen, so that none is needed.
    System.setProperty("java.awt.headless", "true");
    try {
      run(arguments);
    } catch (IOException | IllegalArgumentException e) {
      // What the user can put right; the place in the program does not help.
      System.err.println(
          e instanceof NoSuchFileException ? "there is no " + e.getMessage() : e.getMessage());
      System.exit(1);
    }
  }

  private static void run(String... arguments) throws IOException {
    String what = argument(arguments, 0, "train").toLowerCase(Locale.ROOT);
    Size size = Size.of(argument(arguments, 1, "small"));
    Path results = Path.of(argument(arguments, 2, "results"));
    Path text = Path.of(argument(arguments, 3, "."));
    try (Accelerator device = Accelerator.best()) {
      List<Task> tasks = new ArrayList<>();
      if (!what.equals("text")) {
        tasks.add(new MapTask(size));
      }
      if (!what.equals("map")) {
        tasks.add(TextTask.read(size, text));
      }
      switch (what) {
        case "train", "map", "text" -> train(size, tasks, results, device, System.out);
        case "generate" -> Generate.run(size, tasks, results, device, System.out);
        default ->
            throw new IllegalArgumentException(
                "task = " + what + "; allowed: train, map, text and generate");
      }
    }
  }

  private static String argument(String[] arguments, int index, String otherwise) {
    return arguments.length > index && !arguments[index].isEmpty() ? arguments[index] : otherwise;
  }

  @SuppressWarnings("SystemConsoleNull") // a terminal or not matters only to how progress looks
  static void train(
      Size size, List<Task> tasks, Path directory, Accelerator device, PrintStream out)
      throws IOException {
    long steps =
        tasks.stream().mapToLong(Task::steps).sum() * Arm.values().length * size.seeds().size();
    out.printf("Device of power attention: %s. Results: %s%n", device.name(), directory);
    boolean terminal = System.console() != null;
    List<Results> all = new ArrayList<>();
    try (ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName("Training")
            .setInitialMax(steps)
            .setStyle(terminal ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
            .setMaxRenderedLength(terminal ? -1 : 120)
            .setUpdateIntervalMillis(terminal ? 200 : 30_000)
            .build()) {
      Progress progress =
          (run, loss) -> {
            bar.step();
            bar.setExtraMessage(String.format(Locale.ROOT, " loss %.3f, %s", loss, run));
          };
      for (Task task : tasks) {
        all.add(train(size, task, directory, device, progress, bar));
      }
    }
    for (Results results : all) {
      results.write(directory);
      out.printf("%n%s%n%s", results.task().name(), results.table());
      Plots.unlessUndrawable(out, () -> Plots.write(results, directory));
    }
  }

  private static Results train(
      Size size, Task task, Path directory, Accelerator device, Progress progress, ProgressBar bar)
      throws IOException {
    List<Outcome> outcomes = new ArrayList<>();
    for (int seed : size.seeds()) {
      for (Arm arm : Arm.values()) {
        Run run = new Run(size, task, arm, seed, directory);
        long before = bar.getCurrent();
        outcomes.add(run.train(device, task.steps(), progress));
        // What a checkpoint had done already.
        bar.stepTo(before + task.steps());
      }
    }
    return new Results(task, outcomes);
  }
}
