package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** The state that goes in and comes out. */
class CpuForwardStateTest {
  static Stream<KernelSpec> specs() {
    return Stream.of(
        new KernelSpec(1, 48, 64, DType.FP32, true, false),
        new KernelSpec(2, 32, 64, DType.FP32, true, true),
        new KernelSpec(2, 16, 128, DType.FP32, false, false),
        new KernelSpec(3, 16, 64, DType.FP32, true, false),
        new KernelSpec(4, 16, 64, DType.FP32, true, true),
        new KernelSpec(4, 16, 64, DType.FP32, false, false));
  }

  @ParameterizedTest
  @MethodSource("specs")
  void finalStateIsTheDecayedSumOfFeaturesTimesValues(KernelSpec spec) {
    for (int tokens : new int[] {1, 63, 64, 65, 200}) {
      for (boolean chunked : new boolean[] {false, true}) {
        Case inputs = new Case(spec, 2, tokens, 2, 2, -0.05, tokens);
        Case.Result result = inputs.run(chunked, true);
        Reference reference = new Reference(inputs);
        for (int head = 0; head < 4; head++) {
          double[][] expected = reference.finalState(head / 2, head % 2);
          String what = spec + " t=" + tokens + " chunked " + chunked + " head " + head;
          checkState(what, result, expected, head, spec);
        }
      }
    }
  }

  private static void checkState(
      String what, Case.Result result, double[][] expected, int head, KernelSpec spec) {
    int d = spec.headDim();
    double difference = 0;
    double norm = 0;
    for (int f = 0; f < expected.length; f++) {
      int feature = head * expected.length + f;
      for (int c = 0; c < d; c++) {
        difference += Math.pow(result.sums()[feature * d + c] - expected[f][c], 2);
        norm += Math.pow(expected[f][c], 2);
      }
    }
    assertWithMessage(what).that(Math.sqrt(difference / norm)).isLessThan(1e-6);
    if (spec.normalized()) {
      double keyDifference = 0;
      double keyNorm = 0;
      for (int f = 0; f < expected.length; f++) {
        keyDifference += Math.pow(result.keySums()[head * expected.length + f] - expected[f][d], 2);
        keyNorm += Math.pow(expected[f][d], 2);
      }
      assertWithMessage(what).that(Math.sqrt(keyDifference / keyNorm)).isLessThan(1e-6);
    }
  }

  @ParameterizedTest
  @MethodSource("specs")
  void initialStateIsReadAsTheFormulaSays(KernelSpec spec) {
    for (int tokens : new int[] {1, 100}) {
      Case inputs = new Case(spec, 1, tokens, 4, 2, -0.1, 3);
      Random random = new Random(4);
      inputs.initialSums = Case.gaussian(random, 2 * spec.featureDim() * spec.headDim());
      inputs.initialKeySums = new float[2 * spec.featureDim()];
      // A sum of weights must stay clear of zero: that of a key (1, 1, ..., 1), 300 times.
      java.util.Arrays.fill(inputs.initialKeySums, 300);
      for (boolean chunked : new boolean[] {false, true}) {
        assertWithMessage("%s t=%s chunked %s", spec, tokens, chunked)
            .that(new Reference(inputs).error(inputs.run(chunked).y(), 1))
            .isLessThan(1e-4);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("specs")
  void aSequenceInTwoCallsGivesWhatOneCallGives(KernelSpec spec) {
    int tokens = 260;
    Case whole = new Case(spec, 2, tokens, 4, 2, -0.02, 8);
    Case.Result expected = whole.run(true, true);
    for (int cut : new int[] {1, 64, 131, 259}) {
      for (boolean chunked : new boolean[] {false, true}) {
        Case first = whole.tokens(0, cut);
        Case second = whole.tokens(cut, tokens);
        Case.Result before = first.run(chunked, true);
        second.initialSums = before.sums();
        second.initialKeySums = before.keySums();
        // Final and initial state are the same memory here.
        Case.Result after = second.run(!chunked, true);
        String what = spec + " cut at " + cut;
        assertWithMessage(what).that(distance(after.sums(), expected.sums())).isLessThan(1e-6);
        int width = whole.queryHeads * spec.headDim();
        for (int b = 0; b < 2; b++) {
          float[] expectedRows =
              java.util.Arrays.copyOfRange(
                  expected.y(), (b * tokens + cut) * width, (b + 1) * tokens * width);
          float[] rows =
              java.util.Arrays.copyOfRange(
                  after.y(), b * (tokens - cut) * width, (b + 1) * (tokens - cut) * width);
          assertWithMessage(what).that(distance(rows, expectedRows)).isLessThan(1e-4);
        }
      }
    }
  }

  @Test
  void askingForAFinalStateDoesNotChangeTheOutput() {
    Case inputs =
        new Case(new KernelSpec(2, 32, 64, DType.FP32, true, true), 1, 200, 1, 1, -0.1, 1);
    assertThat(inputs.run(true, true).y()).isEqualTo(inputs.run(true, false).y());
    assertThat(inputs.run(false, true).y()).isEqualTo(inputs.run(false, false).y());
  }

  private static double distance(float[] actual, float[] expected) {
    assertThat(actual.length).isEqualTo(expected.length);
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < actual.length; i++) {
      difference += Math.pow(actual[i] - expected[i], 2);
      norm += Math.pow(expected[i], 2);
    }
    return Math.sqrt(difference / norm);
  }
}
