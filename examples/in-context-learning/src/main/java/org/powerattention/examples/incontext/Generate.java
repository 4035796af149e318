package org.powerattention.examples.incontext;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.powerattention.runtime.Accelerator;

/** Generates from trained models, and times tokens while the context grows. */
final class Generate {
  /** Greatest context at which tokens are timed, and how many at each; of the smoke size, less. */
  private static final int LONGEST = 65_536;

  private static final int TIMED = 200;
  private static final int TEXT_BYTES = 240;
  private static final int QUESTIONS = 12;

  private Generate() {}

  static void run(Size size, List<Task> tasks, Path directory, Accelerator device, PrintStream out)
      throws IOException {
    for (Task task : tasks) {
      try (TrainedModel model =
          new Run(size, task, Arm.POWER, size.seeds().get(0), directory).load(device)) {
        if (task instanceof MapTask) {
          askMap(model, out);
        } else {
          writeText(model, out);
        }
      }
    }
    time(size, tasks.get(tasks.size() - 1), directory, device, out);
  }

  /** Reads a document of pairs as a prompt, then asks for keys that it had. */
  private static void askMap(TrainedModel model, PrintStream out) {
    int[] document = model.task().evaluation(1, 3).tokens()[0];
    int keys = model.size().keys();
    int right = 0;
    out.printf(
        "A map of %d pairs was read; asked for keys, the model answers:%n", document.length / 2);
    for (int i = 0; i < QUESTIONS; i++) {
      try (Session session = new Session(model, document.length + 1)) {
        // The prompt ends with a key that it had before.
        int[] prompt = document.clone();
        prompt[prompt.length - 2] = document[1 + 2 * (i * 7 % (document.length / 2 - 1))];
        int asked = prompt[prompt.length - 2];
        int answer = Session.best(session.read(Arrays.copyOf(prompt, prompt.length - 1)));
        int expected = latest(document, asked);
        right += answer == expected ? 1 : 0;
        out.printf(
            "  %3d -> %2d (%s)%n",
            asked, answer - keys, answer == expected ? "right" : "it was " + (expected - keys));
      }
    }
    out.printf("%d of %d right%n%n", right, QUESTIONS);
  }

  private static int latest(int[] document, int key) {
    for (int i = document.length - 2; i >= 1; i -= 2) {
      if (document[i] == key) {
        return document[i + 1];
      }
    }
    throw new IllegalArgumentException("key " + key + " is not in the document");
  }

  private static void writeText(TrainedModel model, PrintStream out) {
    int[] prompt = model.task().evaluation(1, 3).tokens()[0];
    Random random = new Random(1);
    try (Session session = new Session(model, prompt.length + TEXT_BYTES)) {
      out.printf("The text goes on after%n%s%nas%n", text(prompt));
      float[] logits = session.read(prompt);
      long start = System.nanoTime();
      for (int i = 0; i < TEXT_BYTES; i++) {
        int next = Session.sample(logits, 0.7, random);
        out.write(next);
        out.flush();
        logits = session.read(next);
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      out.printf(
          Locale.ROOT,
          "%n%d bytes at %.0f per second, a state of %.1f KiB%n%n",
          TEXT_BYTES,
          TEXT_BYTES / seconds,
          session.bytes() / 1024.0);
    }
  }

  private static String text(int[] tokens) {
    byte[] bytes = new byte[tokens.length];
    for (int i = 0; i < tokens.length; i++) {
      bytes[i] = (byte) tokens[i];
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static void time(
      Size size, Task task, Path directory, Accelerator device, PrintStream out)
      throws IOException {
    List<Arm> arms = List.of(Arm.POWER, Arm.SOFTMAX);
    int longest = size.name().startsWith(Size.SMOKE.name()) ? 1024 : LONGEST;
    List<Integer> contexts = new ArrayList<>();
    for (int context = 256; context <= longest; context *= 4) {
      contexts.add(context);
    }
    List<double[]> milliseconds = new ArrayList<>();
    for (Arm arm : arms) {
      try (TrainedModel model =
          new Run(size, task, arm, size.seeds().get(0), directory).load(device)) {
        // The first time lets the JVM compile what is timed.
        time(model, contexts);
        milliseconds.add(time(model, contexts));
      }
    }
    double[] x = new double[contexts.size()];
    out.printf(
        "%-10s %18s %18s %14s%n", "context", "power, tokens/s", "softmax, tokens/s", "its cache");
    for (int i = 0; i < contexts.size(); i++) {
      x[i] = contexts.get(i);
      out.printf(
          Locale.ROOT,
          "%-10d %18.0f %18.0f %10.0f KiB%n",
          contexts.get(i),
          1000 / milliseconds.get(0)[i],
          1000 / milliseconds.get(1)[i],
          size.layers() * Arm.SOFTMAX.stateBytes(size, contexts.get(i)) / 1024.0);
    }
    Path plot = directory.resolve("decoding.png");
    Plots.unlessUndrawable(out, () -> Plots.writeDecoding(plot, arms, x, milliseconds));
  }

  private static double[] time(TrainedModel model, List<Integer> contexts) {
    double[] milliseconds = new double[contexts.size()];
    try (Session session =
        new Session(model, contexts.get(contexts.size() - 1) + TIMED * contexts.size())) {
      for (int i = 0; i < contexts.size(); i++) {
        while (session.tokens() < contexts.get(i)) {
          int[] part = new int[Math.min(512, contexts.get(i) - session.tokens())];
          Arrays.fill(part, ' ');
          session.read(part);
        }
        List<Double> times = new ArrayList<>();
        for (int token = 0; token < TIMED; token++) {
          long start = System.nanoTime();
          session.read(' ');
          times.add((System.nanoTime() - start) / 1e6);
        }
        times.sort(null);
        milliseconds[i] = times.get(TIMED / 2);
      }
    }
    return milliseconds;
  }
}
