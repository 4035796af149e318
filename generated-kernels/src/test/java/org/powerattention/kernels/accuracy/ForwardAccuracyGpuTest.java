package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.runtime.Accelerator;

/**
 * Every generated operator computes the formula on a GPU, within its dtype's error. Prints the
 * errors, and how long the kernels took to load: compiled by NVRTC the first time unless the disk
 * cache has them, from the process's cache the second.
 */
@Tag("gpu")
class ForwardAccuracyGpuTest {
  private static final Workload WORKLOAD = new Workload(16_384, 1.5e13, 64 << 20);

  private static final Measurements MEASUREMENTS = new Measurements("cuda");
  private static final Map<TestOperator, LoadedOperator> LOADED = new ConcurrentHashMap<>();
  private static @Nullable Accelerator device;

  static List<TestOperator> operators() {
    return TestOperator.all();
  }

  @BeforeAll
  static void loadAll() throws ExecutionException, InterruptedException {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    Accelerator opened = Accelerator.cuda(0);
    device = opened;
    long start = System.nanoTime();
    Collection<Double> first = load(opened, Runtime.getRuntime().availableProcessors(), true);
    double all = (System.nanoTime() - start) / 1e9;
    Collection<Double> second;
    try (Accelerator fresh = Accelerator.cuda(0)) {
      second = load(fresh, 1, false);
    }
    System.out.printf(
        Locale.ROOT,
        "%n%s: %d operators loaded in %.1f s by %d threads; one took %.0f ms (median),"
            + " loading it again %.2f ms (median)%n",
        opened.name(),
        first.size(),
        all,
        Runtime.getRuntime().availableProcessors(),
        1e3 * median(first),
        1e3 * median(second));
  }

  /** Returns the seconds that each operator takes. */
  private static Collection<Double> load(Accelerator target, int threads, boolean keep)
      throws ExecutionException, InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<Double>> loading = new ArrayList<>();
      for (TestOperator operator : operators()) {
        loading.add(
            pool.submit(
                () -> {
                  long start = System.nanoTime();
                  LoadedOperator loaded = operator.on(target);
                  double seconds = (System.nanoTime() - start) / 1e9;
                  if (keep) {
                    LOADED.put(operator, loaded);
                  } else {
                    loaded.close();
                  }
                  return seconds;
                }));
      }
      List<Double> seconds = new ArrayList<>();
      for (Future<Double> one : loading) {
        seconds.add(one.get());
      }
      return seconds;
    } finally {
      pool.shutdown();
    }
  }

  private static double median(Collection<Double> values) {
    return values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
  }

  @Execution(ExecutionMode.CONCURRENT)
  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  void operatorComputesTheFormula(TestOperator operator) {
    List<Measurement> measured = new AccuracyCheck(device, LOADED.get(operator), WORKLOAD).run();
    MEASUREMENTS.add(measured);
    assertThat(measured.stream().filter(m -> !m.fits()).toList()).isEmpty();
  }

  @AfterAll
  static void close() throws IOException {
    if (device != null) {
      device.close();
      MEASUREMENTS.report();
    }
  }
}
