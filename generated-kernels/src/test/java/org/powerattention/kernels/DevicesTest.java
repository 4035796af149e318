package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Stream;
import org.powerattention.runtime.Tensor;

/** Accelerators used by many threads, and several of them in one process. */
final class DevicesTest {
  private static final int THREADS = 8;
  private static final int ROUNDS = 10;

  private static void requireGpus(int count) {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    Assumptions.assumeTrue(GpuContext.devices() >= count, "needs " + count + " GPUs");
  }

  @Test
  void manyThreadsShareACpuAndALauncher() throws Exception {
    try (Accelerator cpu = Accelerator.cpu()) {
      shareAmongThreads(cpu);
    }
  }

  @Test
  @Tag("gpu")
  void manyThreadsShareAGpuAndALauncher() throws Exception {
    requireGpus(1);
    try (Accelerator gpu = Accelerator.cuda(0)) {
      shareAmongThreads(gpu);
    }
  }

  private static void shareAmongThreads(Accelerator device) throws Exception {
    try (Power2Dim32Launcher attention = Power2Dim32Launcher.on(device)) {
      List<String> alone = new ArrayList<>();
      List<Callable<String>> tasks = new ArrayList<>();
      for (int thread = 0; thread < THREADS; thread++) {
        int seed = thread;
        try (Workout workout = new Workout(device, attention, seed, 150 + seed)) {
          alone.add(workout.run(Form.CHUNKED, null));
        }
        tasks.add(() -> repeat(device, attention, seed));
      }
      assertThat(inParallel(tasks)).isEqualTo(alone);
    }
  }

  /** Runs one thread's share, on its own stream and on the default one; returns the only hash. */
  private static String repeat(Accelerator device, Power2Dim32Launcher attention, int seed) {
    try (Workout workout = new Workout(device, attention, seed, 150 + seed);
        Stream stream = device.newStream()) {
      String first = workout.run(Form.CHUNKED, stream);
      for (int round = 1; round < ROUNDS; round++) {
        String hash = workout.run(Form.CHUNKED, round % 2 == 0 ? stream : null);
        assertWithMessage("seed %s, round %s", seed, round).that(hash).isEqualTo(first);
      }
      return first;
    }
  }

  private static List<String> inParallel(List<Callable<String>> tasks) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(tasks.size());
    try {
      List<String> results = new ArrayList<>();
      for (Future<String> result : pool.invokeAll(tasks)) {
        results.add(result.get());
      }
      return results;
    } finally {
      pool.shutdown();
    }
  }

  @Test
  void twoCpusDoNotDisturbEachOther() throws Exception {
    useTwo(Accelerator::cpu, Accelerator::cpu);
  }

  @Test
  @Tag("gpu")
  void twoAcceleratorsOfOneGpuDoNotDisturbEachOther() throws Exception {
    requireGpus(1);
    useTwo(() -> Accelerator.cuda(0), () -> Accelerator.cuda(0));
  }

  @Test
  @Tag("gpu")
  void twoGpusDoNotDisturbEachOther() throws Exception {
    requireGpus(2);
    useTwo(() -> Accelerator.cuda(0), () -> Accelerator.cuda(1));
  }

  @Test
  @Tag("gpu")
  void aGpuAndTheCpuDoNotDisturbEachOther() throws Exception {
    requireGpus(1);
    useTwo(() -> Accelerator.cuda(0), Accelerator::cpu);
  }

  /** One goes on computing while others are opened, used and closed. */
  private static void useTwo(Supplier<Accelerator> one, Supplier<Accelerator> other)
      throws Exception {
    try (Accelerator device = one.get();
        Power2Dim32Launcher attention = Power2Dim32Launcher.on(device)) {
      String expected = repeat(device, attention, 1);
      List<String> results =
          inParallel(
              List.of(
                  () -> repeat(device, attention, 1),
                  () -> {
                    String last = "";
                    for (int round = 0; round < 3; round++) {
                      try (Accelerator second = other.get();
                          Power2Dim32Launcher its = Power2Dim32Launcher.on(second)) {
                        last = repeat(second, its, 1);
                      }
                    }
                    return last;
                  }));
      assertThat(results.get(0)).isEqualTo(expected);
      assertThat(repeat(device, attention, 1)).isEqualTo(expected);
      try (Accelerator second = other.get()) {
        if (second.name().replaceAll("\\d", "").equals(device.name().replaceAll("\\d", ""))) {
          assertThat(results.get(1)).isEqualTo(expected); // of the same model
        }
      }
    }
  }

  /**
   * Each call's blocks leave most multiprocessors idle, so that two calls can run at once. The
   * device is kept busy until all is enqueued: a virtual machine that still interprets may take as
   * long to enqueue a call as the device takes to run it, and what one thread enqueues is then what
   * is timed, twice as long for twice the calls.
   */
  @Test
  @Tag("gpu")
  void callsOnTwoStreamsOverlap() {
    requireGpus(1);
    int tokens = 4096;
    int calls = 10;
    try (Accelerator gpu = Accelerator.cuda(0);
        GpuContext context = new GpuContext(0);
        Power2Dim32Launcher attention = Power2Dim32Launcher.on(gpu);
        Tensor x = gpu.zeros(DType.BF16, 1, tokens, 1, 32);
        Tensor logG = gpu.zeros(DType.FP32, 1, tokens, 1);
        Tensor first = gpu.zeros(DType.BF16, 1, tokens, 1, 32);
        Tensor second = gpu.zeros(DType.BF16, 1, tokens, 1, 32);
        Tensor largeX = gpu.zeros(DType.BF16, 1, 32_768, 8, 32);
        Tensor largeLogG = gpu.zeros(DType.FP32, 1, 32_768, 8);
        Tensor largeY = gpu.zeros(DType.BF16, 1, 32_768, 8, 32);
        Stream one = gpu.newStream();
        Stream other = gpu.newStream()) {
      ForwardOptions options = ForwardOptions.defaults().form(Form.ATTENTION);
      Runnable ofOne = () -> attention.forwardInto(first, x, x, x, logG, options.stream(one));
      Runnable ofOther = () -> attention.forwardInto(second, x, x, x, logG, options.stream(other));
      Runnable large = // some milliseconds each
          () ->
              attention.forwardInto(largeY, largeX, largeX, largeX, largeLogG, options.stream(one));
      Runnable busy = () -> repeat(8, large, () -> {});
      double[] alone = new double[calls];
      double[] together = new double[calls];
      repeat(calls, ofOne, ofOther); // the first of each makes its workspace
      busy.run();
      gpu.synchronize();
      for (int i = 0; i < calls; i++) {
        alone[i] = context.milliseconds(one, other, busy, () -> repeat(calls, ofOne, () -> {}));
        together[i] = context.milliseconds(one, other, busy, () -> repeat(calls, ofOne, ofOther));
      }
      double ratio = median(together) / median(alone);
      System.out.printf(
          Locale.ROOT,
          "%nTwo streams on %s: %.3f ms alone, %.3f ms together, ratio %.2f%n",
          gpu.name(),
          median(alone),
          median(together),
          ratio);
      // 2 without any overlap.
      assertThat(ratio).isLessThan(1.6);
    }
  }

  private static void repeat(int times, Runnable one, Runnable other) {
    for (int i = 0; i < times; i++) {
      one.run();
      other.run();
    }
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
