package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** Gradients into and out of a state, across many chunks, and of packed sequences. */
class CpuBackwardStateTest {
  static Stream<KernelSpec> specs() {
    return Stream.of(
        new KernelSpec(1, 48, 64, DType.FP32, true, false),
        new KernelSpec(2, 32, 64, DType.FP32, true, true),
        new KernelSpec(2, 16, 128, DType.FP32, false, false),
        new KernelSpec(2, 16, 128, DType.FP32, false, true),
        new KernelSpec(3, 16, 64, DType.FP32, true, false),
        new KernelSpec(4, 16, 64, DType.FP32, true, true),
        new KernelSpec(4, 16, 192, DType.FP32, true, false));
  }

  @ParameterizedTest
  @MethodSource("specs")
  void gradientsOfStatesAgreeWithTheFormula(KernelSpec spec) {
    for (int tokens : new int[] {1, 64, 150}) {
      double gate = tokens == 150 ? -1 : -0.02;
      Case inputs = new Case(spec, tokens == 1 ? 2 : 1, tokens, 2, 1, gate, tokens);
      boolean saved = tokens == 64;
      CpuBackwardAccuracyTest.check(new GradientCase(inputs, 1).withInitial(2).withFinal(3), saved);
      CpuBackwardAccuracyTest.check(new GradientCase(inputs, 1).withInitial(2), saved);
      inputs.initialSums = null;
      inputs.initialKeySums = null;
      CpuBackwardAccuracyTest.check(new GradientCase(inputs, 1).withFinal(3), saved);
    }
  }

  static Stream<KernelSpec> longSpecs() {
    return Stream.of(
        new KernelSpec(2, 16, 64, DType.FP32, true, true),
        new KernelSpec(1, 32, 320, DType.FP32, true, false),
        new KernelSpec(2, 32, 512, DType.BF16, true, true),
        new KernelSpec(3, 16, 384, DType.FP16, true, false),
        new KernelSpec(4, 16, 448, DType.FP32, true, true));
  }

  @ParameterizedTest
  @MethodSource("longSpecs")
  void staysAccurateAcrossManyChunksAndBlocks(KernelSpec spec) {
    for (double gate : new double[] {-2, -0.05, -0.001}) {
      Case inputs = new Case(spec, 1, 1061, 1, 1, gate, 5);
      CpuBackwardAccuracyTest.check(new GradientCase(inputs, 6), gate < -0.01);
    }
  }

  @Test
  void gradientsOfGatesBeyondAClosedOneAreNotBuriedByOthers() {
    // Token 700's gate is closed, so nothing spans it: exactly zero, whatever lies around it.
    KernelSpec spec = new KernelSpec(2, 16, 128, DType.FP32, true, true);
    Case inputs = new Case(spec, 1, 1200, 1, 1, -0.001, 5);
    inputs.logG[700] = Float.NEGATIVE_INFINITY;
    for (boolean chunked : new boolean[] {false, true}) {
      float[] gradient = new GradientCase(inputs, 6).run(chunked, false).logG();
      assertWithMessage("chunked %s", chunked).that(Math.abs(gradient[700])).isAtMost(1e-30f);
      assertThat(Math.abs(gradient[699])).isGreaterThan(1e-6f);
    }
  }

  static Stream<KernelSpec> packedSpecs() {
    return Stream.of(
        new KernelSpec(2, 16, 64, DType.FP32, true, true),
        new KernelSpec(3, 16, 128, DType.BF16, true, false),
        new KernelSpec(2, 32, 64, DType.FP16, false, true));
  }

  @ParameterizedTest
  @MethodSource("packedSpecs")
  void packedSequencesGiveWhatEachGivesByItself(KernelSpec spec) {
    int[] offsets = {0, 0, 1, 150, 150, 213, 500, 501, 501};
    for (boolean chunked : new boolean[] {false, true}) {
      for (boolean states : new boolean[] {false, true}) {
        GradientCase all = new GradientCase(new Case(spec, 1, 501, 4, 2, -0.1, 7), 8);
        all.offsets = offsets;
        all.inputs.padding = 3;
        if (states) {
          all.withInitial(9).withFinal(10);
        }
        GradientCase.Result together = all.run(chunked, true);
        for (int n = 0; n + 1 < offsets.length; n++) {
          String what = spec + " chunked " + chunked + " states " + states + " sequence " + n;
          int length = spec.featureDim() * 2;
          float[] dSums = part(together.sums(), n, n + 1, length * spec.headDim());
          float[] dKeySums = part(together.keySums(), n, n + 1, length);
          float[] finalSums = part(together.finalSums(), n, n + 1, length * spec.headDim());
          if (offsets[n] == offsets[n + 1]) {
            assertWithMessage(what)
                .that(finalSums)
                .isEqualTo(
                    states
                        ? part(all.inputs.initialSums, n, n + 1, length * spec.headDim())
                        : new float[length * spec.headDim()]);
            if (states) {
              assertWithMessage(what)
                  .that(dSums)
                  .usingTolerance(1e-6)
                  .containsExactly(part(all.dFinalSums, n, n + 1, length * spec.headDim()))
                  .inOrder();
            }
            continue;
          }
          GradientCase.Result alone = sequence(all, n).run(chunked, true);
          int from = offsets[n];
          int to = offsets[n + 1];
          int d = spec.headDim();
          assertWithMessage(what).that(part(together.y(), from, to, 4 * d)).isEqualTo(alone.y());
          assertWithMessage(what).that(part(together.q(), from, to, 4 * d)).isEqualTo(alone.q());
          assertWithMessage(what).that(part(together.k(), from, to, 2 * d)).isEqualTo(alone.k());
          assertWithMessage(what).that(part(together.v(), from, to, 2 * d)).isEqualTo(alone.v());
          assertWithMessage(what).that(part(together.logG(), from, to, 2)).isEqualTo(alone.logG());
          assertWithMessage(what).that(finalSums).isEqualTo(alone.finalSums());
          assertWithMessage(what).that(dSums).isEqualTo(alone.sums());
          assertWithMessage(what).that(dKeySums).isEqualTo(alone.keySums());
        }
      }
    }
  }

  /** One of the packed sequences, as a case of its own. */
  private static GradientCase sequence(GradientCase all, int n) {
    Case inputs = all.inputs;
    int from = all.offsets[n];
    int to = all.offsets[n + 1];
    GradientCase alone = new GradientCase(inputs.tokens(from, to), 0);
    int d = inputs.spec.headDim();
    float[] dY = part(all.dY, from, to, inputs.queryHeads * d);
    System.arraycopy(dY, 0, alone.dY, 0, dY.length);
    if (inputs.initialSums != null) {
      int length = inputs.spec.featureDim() * inputs.keyHeads;
      alone.inputs.initialSums = part(inputs.initialSums, n, n + 1, length * d);
      alone.inputs.initialKeySums = part(inputs.initialKeySums, n, n + 1, length);
      alone.dFinalSums = part(all.dFinalSums, n, n + 1, length * d);
      alone.dFinalKeySums = part(all.dFinalKeySums, n, n + 1, length);
    }
    return alone;
  }

  private static float[] part(float[] values, int from, int to, int width) {
    return values.length == 0 ? values : Arrays.copyOfRange(values, from * width, to * width);
  }
}
