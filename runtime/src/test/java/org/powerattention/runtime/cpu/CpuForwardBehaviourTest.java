package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** What must hold exactly, whatever the accuracy. */
class CpuForwardBehaviourTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 32, 64, DType.FP32, true, true);

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void resultDoesNotDependOnTheNumberOfThreads(boolean chunked) throws Exception {
    Case inputs = new Case(SPEC, 1, 700, 6, 3, -0.01, 1);
    Case.Result alone = inAPool(1, inputs, chunked);
    for (int threads : new int[] {2, 4, 7}) {
      Case.Result together = inAPool(threads, inputs, chunked);
      assertThat(together.y()).isEqualTo(alone.y());
      assertThat(together.sums()).isEqualTo(alone.sums());
      assertThat(together.keySums()).isEqualTo(alone.keySums());
    }
  }

  private static Case.Result inAPool(int threads, Case inputs, boolean chunked) throws Exception {
    ForkJoinPool pool = new ForkJoinPool(threads);
    try {
      return pool.submit(() -> inputs.run(chunked, true)).get();
    } finally {
      pool.shutdown();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void rowsWithoutWeightAreZero(boolean chunked) {
    Case inputs = new Case(SPEC, 1, 150, 1, 1, -0.01, 2);
    Arrays.fill(inputs.k, 0, 100 * 32, 0f);
    Arrays.fill(inputs.q, 120 * 32, 121 * 32, 0f);
    float[] y = inputs.run(chunked).y();
    for (int i = 0; i < 100 * 32; i++) {
      assertThat(y[i]).isEqualTo(0f);
    }
    for (int i = 120 * 32; i < 121 * 32; i++) {
      assertThat(y[i]).isEqualTo(0f);
    }
    assertThat(new Reference(inputs).error(y, 1)).isLessThan(1e-5);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void wildInputsStayInTheirSequenceHeadAndFuture(float wild) {
    int d = SPEC.headDim();
    int token = 70;
    for (boolean chunked : new boolean[] {false, true}) {
      for (int which = 0; which < 4; which++) {
        Case inputs = new Case(SPEC, 2, 150, 4, 2, -0.01, 4);
        Case.Result clean = inputs.run(chunked, true);
        // Sequence 1, key/value head 1, which query heads 2 and 3 read.
        int key = (150 + token) * 2 + 1;
        switch (which) {
          case 0 -> inputs.k[key * d + 5] = wild;
          case 1 -> inputs.v[key * d + 5] = wild;
          case 2 -> inputs.logG[key] = Float.NaN;
          default -> inputs.q[((150 + token) * 4 + 2) * d + 5] = wild;
        }
        Case.Result result = inputs.run(chunked, true);
        int touched = 0;
        for (int i = 0; i < clean.y().length; i++) {
          int head = i / d % 4;
          int position = i / d / 4;
          boolean mayDiffer = position >= 150 + token && head >= 2;
          if (!mayDiffer) {
            assertWithMessage("input %s, element %s", which, i)
                .that(result.y()[i])
                .isEqualTo(clean.y()[i]);
          } else if (!Float.isFinite(result.y()[i])) {
            touched++;
          }
        }
        assertThat(touched).isGreaterThan(0);
        int perHead = SPEC.featureDim() * d;
        assertThat(Arrays.copyOf(result.sums(), 3 * perHead))
            .isEqualTo(Arrays.copyOf(clean.sums(), 3 * perHead));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aClosedGateForgetsEverythingBefore(boolean chunked) {
    Case inputs = new Case(SPEC, 1, 300, 1, 1, -0.01, 5);
    inputs.logG[90] = Float.NEGATIVE_INFINITY;
    float[] y = inputs.run(chunked).y();
    float[] alone = inputs.tokens(90, 300).run(chunked).y();
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < alone.length; i++) {
      difference += Math.pow(y[90 * 32 + i] - alone[i], 2);
      norm += Math.pow(alone[i], 2);
    }
    assertThat(Math.sqrt(difference / norm)).isLessThan(1e-6);
  }

  @Test
  void scaleOfANormalisedOperatorCancels() {
    Case inputs = new Case(SPEC, 1, 100, 1, 1, -0.01, 6);
    float[] expected = inputs.run(true).y();
    inputs.scale = 1e-25;
    assertThat(inputs.run(true).y()).isEqualTo(expected);
  }

  @Test
  void refusesUseAfterClose() {
    CpuProgram program = new CpuProgram(SPEC);
    program.close();
    Case inputs = new Case(SPEC, 1, 1, 1, 1, -0.01, 7);
    assertThrows(IllegalStateException.class, () -> inputs.run(false, false, program));
  }

  @Test
  void refusesACallForAnotherSpec() {
    CpuProgram program = new CpuProgram(new KernelSpec(2, 16, 64, DType.FP32, true, true));
    Case inputs = new Case(SPEC, 1, 1, 1, 1, -0.01, 7);
    assertThrows(IllegalArgumentException.class, () -> inputs.run(false, false, program));
  }
}
