package org.powerattention.examples.incontext;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import org.powerattention.runtime.Accelerator;

/**
 * Training of one arm on one task with one seed. It goes on from its checkpoint if there is one,
 * with the same results as if it had never stopped.
 *
 * @param size how large
 * @param task the task
 * @param arm the arm
 * @param seed of initial parameters and data
 * @param directory of checkpoints
 */
record Run(Size size, Task task, Arm arm, int seed, Path directory) {
  /** Points of a learning curve, and how often a run can be interrupted at little loss. */
  private static final int POINTS = 20;

  private static final int CURVE_DOCUMENTS = 16;

  /** Steps of different seeds do not meet. */
  private static final long SEED_STRIDE = 1_000_003;

  String name() {
    return task.name() + ", " + arm.title() + ", seed " + seed;
  }

  Path checkpoint() {
    return directory.resolve(
        task.name() + "-" + size.name() + "-" + arm.key() + "-" + seed + ".checkpoint");
  }

  /** Returns what the size and the data hash to; a run does not go on from that of another. */
  private int kind() {
    return 31 * size.toString().hashCode() + task.fingerprint();
  }

  /**
   * Trains to the end.
   *
   * @param lastStep where to stop as if killed, after its checkpoint; the task's steps to finish
   */
  Outcome train(Accelerator device, int lastStep, Progress progress) throws IOException {
    try (TrainedModel model = new TrainedModel(size, task, arm, seed, device)) {
      List<Curve> curve =
          new ArrayList<>(Checkpoint.read(checkpoint(), OptionalInt.of(kind()), model.state()));
      Curve last = curve.isEmpty() ? new Curve(0, 0, 0, 0) : curve.get(curve.size() - 1);
      double seconds = last.seconds();
      double cpuSeconds = last.cpuSeconds();
      Documents unseen = task.evaluation(CURVE_DOCUMENTS, 1);
      int interval = Math.max(1, task.steps() / POINTS);
      for (int step = last.step() + 1; step <= lastStep; step++) {
        Documents documents = task.training(task.batch(), seed * SEED_STRIDE + step);
        long start = System.nanoTime();
        double startCpu = processSeconds();
        double loss = model.step(step, documents);
        seconds += (System.nanoTime() - start) / 1e9;
        cpuSeconds += processSeconds() - startCpu;
        if (!Double.isFinite(loss)) {
          throw new ArithmeticException(name() + ": loss is " + loss + " at step " + step);
        }
        progress.step(name(), loss);
        if (step % interval == 0 || step == task.steps()) {
          double score = Arrays.stream(model.lossByPosition(unseen)).average().orElseThrow();
          curve.add(new Curve(step, seconds, cpuSeconds, score));
          Checkpoint.write(checkpoint(), kind(), model.state(), curve);
        }
      }
      return new Outcome(
          this,
          List.copyOf(curve),
          model.lossByPosition(task.evaluation(size.evaluationDocuments(), 2)),
          model.parameters(),
          model.weightFlops(),
          model.stateFlops());
    }
  }

  private static double processSeconds() {
    return ProcessHandle.current()
        .info()
        .totalCpuDuration()
        .map(time -> time.toNanos() / 1e9)
        .orElse(Double.NaN);
  }

  /** Returns the trained model, whatever text it was trained on. */
  TrainedModel load(Accelerator device) throws IOException {
    TrainedModel model = new TrainedModel(size, task, arm, seed, device);
    List<Curve> curve = Checkpoint.read(checkpoint(), OptionalInt.empty(), model.state());
    if (curve.isEmpty() || curve.get(curve.size() - 1).step() != task.steps()) {
      model.close();
      throw new IOException(
          checkpoint()
              + " is not there, or not of a finished run: what generates has to be trained first,"
              + " by the same command without -Dtask=generate");
    }
    return model;
  }
}
