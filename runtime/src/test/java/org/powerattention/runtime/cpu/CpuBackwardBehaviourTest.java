package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** What holds exactly, or where the formula's conditioning says nothing; and a second witness. */
class CpuBackwardBehaviourTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.FP32, true, true);

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void gradientsDependNeitherOnTheRunNorOnTheNumberOfThreads(boolean chunked) throws Exception {
    GradientCase gradients = new GradientCase(new Case(SPEC, 1, 460, 6, 3, -0.01, 1), 2);
    gradients.withInitial(3).withFinal(4);
    CpuProgram program = new CpuProgram(SPEC);
    float[][] alone = inAPool(1, gradients, chunked, program);
    for (int threads : new int[] {1, 2, 7}) {
      float[][] again = inAPool(threads, gradients, chunked, program);
      for (int i = 0; i < alone.length; i++) {
        assertWithMessage("%s, %s threads", GradientCase.NAMES[i], threads)
            .that(again[i])
            .isEqualTo(alone[i]);
      }
    }
  }

  private static float[][] inAPool(
      int threads, GradientCase gradients, boolean chunked, CpuProgram program) throws Exception {
    ForkJoinPool pool = new ForkJoinPool(threads);
    try {
      return pool.submit(() -> gradients.run(chunked, true, program)).get().all();
    } finally {
      pool.shutdown();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void rowsWithoutWeightHaveNoGradient(boolean chunked) {
    int d = SPEC.headDim();
    Case inputs = new Case(SPEC, 1, 150, 1, 1, -0.01, 2);
    Arrays.fill(inputs.k, 0, 100 * d, 0f);
    Arrays.fill(inputs.q, 120 * d, 121 * d, 0f);
    for (boolean saved : new boolean[] {false, true}) {
      GradientCase gradients = new GradientCase(inputs, 3);
      GradientCase.Result result = gradients.run(chunked, saved);
      assertThat(Arrays.copyOf(result.q(), 100 * d)).isEqualTo(new float[100 * d]);
      assertThat(Arrays.copyOfRange(result.q(), 120 * d, 121 * d)).isEqualTo(new float[d]);
      assertThat(Arrays.copyOf(result.k(), 100 * d)).isEqualTo(new float[100 * d]);
      assertThat(Arrays.copyOf(result.v(), 100 * d)).isEqualTo(new float[100 * d]);
      CpuBackwardAccuracyTest.check(gradients, saved);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void scoresNearZeroGiveFiniteGradients(int degree) {
    KernelSpec spec = new KernelSpec(degree, 16, 64, DType.FP32, true, true);
    for (float tiny : new float[] {0, 1e-4f, 1e-9f, 1e-12f}) {
      // Queries and keys lie in different halves of the space, but for a tiny part.
      Case inputs = new Case(spec, 1, 200, 1, 1, -0.01, 4);
      for (int i = 0; i < inputs.q.length; i++) {
        inputs.q[i] *= i % 16 < 8 ? 1 : 0;
        inputs.k[i] *= i % 16 < 8 ? tiny : 1;
      }
      for (boolean chunked : new boolean[] {false, true}) {
        for (boolean saved : new boolean[] {false, true}) {
          for (float[] gradient : new GradientCase(inputs, 5).run(chunked, saved).all()) {
            for (float value : gradient) {
              assertWithMessage("tiny = %s, chunked %s", tiny, chunked)
                  .that(Float.isFinite(value))
                  .isTrue();
            }
          }
        }
      }
      if (tiny == 1e-4f) {
        CpuBackwardAccuracyTest.check(new GradientCase(inputs, 5), false);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void finiteDifferencesAgree(int degree) {
    KernelSpec spec = new KernelSpec(degree, 16, 64, DType.FP32, true, degree == 2);
    Case inputs = new Case(spec, 1, 90, 2, 1, -0.05, 6);
    GradientCase gradients = new GradientCase(inputs, 7).withInitial(8);
    Random random = new Random(9);
    for (boolean chunked : new boolean[] {false, true}) {
      float[][] result = gradients.run(chunked, false).all();
      float[][] values = {inputs.q, inputs.k, inputs.v, inputs.logG, inputs.initialSums};
      for (int i = 0; i < values.length; i++) {
        // Along a random direction, with the formula itself in fp64 as the function.
        float[] direction = Case.gaussian(random, values[i].length);
        float[] original = values[i].clone();
        double step = 1e-3;
        double expected = 0;
        double measured = 0;
        double size = 0;
        for (int sign = -1; sign <= 1; sign += 2) {
          for (int n = 0; n < original.length; n++) {
            values[i][n] = (float) (original[n] + sign * step * direction[n]);
          }
          measured += sign * loss(gradients);
          for (int n = 0; n < original.length; n++) {
            // The steps as they came out after rounding.
            expected += result[i][n] * ((double) sign * (values[i][n] - original[n]));
            size += Math.pow(result[i][n] * step * direction[n], 2);
          }
        }
        System.arraycopy(original, 0, values[i], 0, original.length);
        assertWithMessage("%s, degree %s, chunked %s", GradientCase.NAMES[i], degree, chunked)
            .that(Math.abs(measured - expected) / Math.sqrt(size))
            .isLessThan(2e-2);
      }
    }
  }

  private static double loss(GradientCase gradients) {
    Case inputs = gradients.inputs;
    Reference reference = new Reference(inputs);
    double loss = 0;
    for (int i = 0; i < inputs.tokens; i++) {
      for (int r = 0; r < inputs.queryHeads; r++) {
        double[] y = reference.row(0, i, r);
        for (int c = 0; c < y.length; c++) {
          loss += y[c] * gradients.dY[(i * inputs.queryHeads + r) * y.length + c];
        }
      }
    }
    return loss;
  }

  @Test
  void savingDoesNotChangeTheOutput() {
    GradientCase gradients = new GradientCase(new Case(SPEC, 2, 200, 2, 1, -0.1, 1), 2);
    assertThat(gradients.run(true, true).y()).isEqualTo(gradients.run(true, false).y());
  }
}
