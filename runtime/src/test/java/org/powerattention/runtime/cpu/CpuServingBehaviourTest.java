package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** What must hold of serving calls whatever the accuracy. */
class CpuServingBehaviourTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 32, 128, DType.FP32, true, true);

  /** Large enough for several threads: 32 heads of two parts each. */
  private static final Case MANY_HEADS =
      new Case(new KernelSpec(2, 48, 128, DType.FP32, true, true), 4, 215, 16, 8, -0.01, 1);

  @ParameterizedTest
  @ValueSource(ints = {2, 4, 7})
  void resultDoesNotDependOnTheNumberOfThreads(int threads) throws Exception {
    Served expected = inAPool(1, CpuServingBehaviourTest::serveManyHeads);
    Served actual = inAPool(threads, CpuServingBehaviourTest::serveManyHeads);
    assertThat(actual.y).isEqualTo(expected.y);
    assertThat(Case.floats(actual.state.sums())).isEqualTo(Case.floats(expected.state.sums()));
    assertThat(new Reference(MANY_HEADS).error(actual.y, 40)).isLessThan(1e-5);
  }

  private static Served serveManyHeads() {
    Served served = new Served(MANY_HEADS);
    served.prefill(150, true);
    served.decode(65);
    return served;
  }

  private static <T> T inAPool(int threads, Callable<T> task) throws Exception {
    ForkJoinPool pool = new ForkJoinPool(threads);
    try {
      return pool.submit(task).get();
    } finally {
      pool.shutdown();
    }
  }

  @Test
  void aCapturedCallDoesWhatTheCallDoesEachTimeItIsLaunched() {
    Served called = new Served(MANY_HEADS);
    Served launched = new Served(MANY_HEADS);
    called.decode(200);
    try (Served.Captured captured = launched.new Captured()) {
      captured.decode(100);
      // Other calls may come between.
      launched.decode(3);
      captured.decode(97);
    }
    assertThat(launched.y).isEqualTo(called.y);
    assertThat(Case.floats(launched.state.sums())).isEqualTo(Case.floats(called.state.sums()));
  }

  @Test
  void capturingCarriesNothingOut() {
    Served served = new Served(MANY_HEADS);
    served.decode(3);
    try (Served.Captured captured = served.new Captured()) {
      assertThat(captured.call).isNotNull();
      assertThat(served.windowLength(0)).isEqualTo(3);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void launchesAllocateNothing(boolean manyThreads) throws Exception {
    Case inputs = manyThreads ? MANY_HEADS : new Case(SPEC, 1, 1, 2, 1, -0.1, 5);
    int launches = manyThreads ? 70 : 1000;
    Served served = new Served(inputs);
    try (Served.Captured captured = served.new Captured()) {
      // The pool starts its threads, and the compiler is done with what it may move to the stack.
      for (int i = 0; i < 5 * launches; i++) {
        captured.call.launch(0);
      }
      long least = Long.MAX_VALUE;
      // Other threads of the test run may allocate now and then, and on a busy machine the compiler
      // is done later: what allocates for ever fails.
      long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
      for (int round = 0; least > 0 && (round < 20 || System.nanoTime() < deadline); round++) {
        long start = AllocatedBytes.ofAllThreads();
        long before = AllocatedBytes.ofAllThreads();
        for (int i = 0; i < launches; i++) {
          captured.call.launch(0);
        }
        long after = AllocatedBytes.ofAllThreads();
        least = Math.min(least, (after - before) - (before - start));
      }
      assertThat(least).isAtMost(0);
    }
  }

  @Test
  void theMeasurementSeesAllocations() throws Exception {
    long before = AllocatedBytes.ofAllThreads();
    assertThat(new byte[1 << 20]).hasLength(1 << 20);
    assertThat(AllocatedBytes.ofAllThreads() - before).isAtLeast(1L << 20);
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 64, 90, 170})
  void aClosedGateForgetsEverythingBefore(int closed) {
    int d = SPEC.headDim();
    Case inputs = new Case(SPEC, 1, 300, 1, 1, -0.01, 5);
    java.util.Objects.requireNonNull(inputs.logG)[closed] = Float.NEGATIVE_INFINITY;
    // What is forgotten does not matter, not even where it is the largest of numbers.
    inputs.v[d] = 1e30f;
    Served alone = new Served(inputs.tokens(closed, 300));
    alone.decode(300 - closed);
    for (int prefilled : new int[] {1, 50, 80, 299}) {
      Served served = new Served(inputs);
      served.prefill(prefilled, true);
      served.decode(300 - prefilled);
      float[] after = Arrays.copyOfRange(served.y, closed * d, 300 * d);
      assertWithMessage("%s tokens prefilled", prefilled)
          .that(distance(after, alone.y))
          .isLessThan(2e-6);
    }
  }

  private static double distance(float[] actual, float[] expected) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(actual[i] - expected[i], 2);
      norm += Math.pow(expected[i], 2);
    }
    return Math.sqrt(difference / norm);
  }

  @Test
  void rowsWithoutWeightAreZero() {
    Case inputs = new Case(SPEC, 1, 200, 1, 1, -0.01, 2);
    Arrays.fill(inputs.k, 0, 100 * 32, 0f);
    Arrays.fill(inputs.q, 180 * 32, 181 * 32, 0f);
    Served served = new Served(inputs);
    served.decode(70);
    served.prefill(70, false);
    served.decode(60);
    for (int i = 0; i < 200; i++) {
      boolean none = i < 100 || i == 180;
      assertWithMessage("row %s", i).that(served.y[32 * i] == 0).isEqualTo(none);
    }
    assertThat(new Reference(inputs).error(served.y, 1)).isLessThan(1e-5);
  }

  @Test
  void scaleOfANormalisedOperatorCancels() {
    Case inputs = new Case(SPEC, 1, 200, 1, 1, -0.01, 6);
    Served expected = new Served(inputs);
    expected.decode(200);
    inputs.scale = 1e-25;
    Served served = new Served(inputs);
    served.decode(200);
    assertThat(served.y).isEqualTo(expected.y);
  }

  @Test
  void refusesUseAfterCloseAndCallsForAnotherSpec() {
    Case inputs = new Case(SPEC, 1, 2, 1, 1, -0.01, 7);
    CpuProgram closed = new CpuProgram(SPEC);
    closed.close();
    CpuProgram other = new CpuProgram(new KernelSpec(2, 32, 64, DType.FP32, true, true));
    assertThrows(IllegalStateException.class, () -> new Served(inputs, closed).decode(1));
    assertThrows(IllegalStateException.class, () -> new Served(inputs, closed).fold());
    assertThrows(IllegalArgumentException.class, () -> new Served(inputs, other).decode(1));
    assertThrows(IllegalArgumentException.class, () -> new Served(inputs, other).prefill(1, true));
  }
}
