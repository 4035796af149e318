package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** Both forms against the defining formula in fp64, on the same rounded inputs. */
class CpuForwardAccuracyTest {
  private static final double STRONG = -2;
  private static final double WEAK = -0.001;

  /** Larger states only take longer: the same loops run over more tiles. */
  private static final long MOST_STATE_BYTES = 30 << 20;

  static double tolerance(DType dtype) {
    return switch (dtype) {
      case BF16 -> 5e-3;
      case FP16 -> 2e-3;
      case FP32 -> 1e-5;
    };
  }

  static Stream<KernelSpec> specs() {
    List<KernelSpec> specs = new ArrayList<>();
    for (int degree = KernelSpec.MIN_DEGREE; degree <= KernelSpec.MAX_DEGREE; degree++) {
      for (int d = 16; d <= KernelSpec.MAX_HEAD_DIM; d += 16) {
        if (KernelSpec.stateBytes(degree, d, degree % 2 == 0) < MOST_STATE_BYTES) {
          DType dtype = List.of(DType.values()).get((degree + d / 16) % 3);
          specs.add(new KernelSpec(degree, d, 64, DType.FP32, true, degree % 2 == 0));
          specs.add(
              new KernelSpec(degree, d, 128, dtype, d % 32 == 0, d % 48 == 0 && degree % 2 == 0));
        }
      }
    }
    return specs.stream();
  }

  @ParameterizedTest
  @MethodSource("specs")
  void bothFormsAgreeWithTheFormula(KernelSpec spec) {
    Random random = new Random(spec.toString().hashCode());
    int[] lengths = {1, 2 + random.nextInt(60), 127 + random.nextInt(3), 300 + random.nextInt(200)};
    for (int tokens : lengths) {
      int keyHeads = 1 + random.nextInt(2);
      int queryHeads = keyHeads * (1 + random.nextInt(3));
      int batch = tokens > 200 ? 1 : 1 + random.nextInt(2);
      double gate = random.nextBoolean() ? STRONG : WEAK;
      Case inputs = new Case(spec, batch, tokens, queryHeads, keyHeads, gate, random.nextLong());
      inputs.padding = random.nextInt(8);
      inputs.scale *= 1 + random.nextDouble();
      check(inputs, false, tokens > 200 ? 7 : 1);
      check(inputs, true, tokens > 200 ? 7 : 1);
    }
  }

  static Stream<KernelSpec> longSpecs() {
    return Stream.of(
        new KernelSpec(1, 64, 256, DType.FP16, true, false),
        new KernelSpec(2, 16, 64, DType.FP32, true, true),
        new KernelSpec(2, 32, 1024, DType.BF16, true, true),
        new KernelSpec(3, 16, 512, DType.FP32, true, false),
        new KernelSpec(4, 16, 1024, DType.FP32, true, true));
  }

  @ParameterizedTest
  @MethodSource("longSpecs")
  void staysAccurateOver16384Tokens(KernelSpec spec) {
    for (double gate : new double[] {STRONG, WEAK}) {
      Case inputs = new Case(spec, 1, 16_384, 1, 1, gate, 5);
      check(inputs, false, 509);
      check(inputs, true, 509);
    }
  }

  @Test
  void sumOfPositiveWeightsStaysAccurateWithoutGates() {
    // Equal queries and keys make every weight the same: the sums grow with t, nothing cancels.
    Case inputs =
        new Case(new KernelSpec(2, 16, 1024, DType.FP32, false, false), 1, 16_384, 1, 1, 0, 1);
    for (int i = 0; i < inputs.q.length; i++) {
      inputs.q[i] = 0.3f;
      inputs.k[i] = 0.7f;
      inputs.v[i] = 1.1f;
    }
    check(inputs, false, 1021);
    check(inputs, true, 1021);
  }

  @Test
  void rowsAfterAStrongGateAreNotDrownedByTheStatesRounding() {
    // Recent weights near zero beside a state of large terms: each row counts by itself.
    KernelSpec spec = new KernelSpec(4, 16, 64, DType.FP32, true, true);
    Case inputs = new Case(spec, 1, 4096, 1, 1, STRONG, 3);
    float[] attention = inputs.run(false).y();
    float[] chunked = inputs.run(true).y();
    for (int row = 0; row < attention.length; row += 16) {
      double difference = 0;
      double norm = 0;
      for (int c = row; c < row + 16; c++) {
        difference += Math.pow(attention[c] - chunked[c], 2);
        norm += Math.pow(attention[c], 2);
      }
      assertWithMessage("token %s", row / 16).that(Math.sqrt(difference / norm)).isLessThan(5e-6);
    }
  }

  private static void check(Case inputs, boolean chunked, int step) {
    double error = new Reference(inputs).error(inputs.run(chunked).y(), step);
    assertWithMessage(
            "relative L2 error of %s, chunked %s, b=%s t=%s hq=%s h=%s padding=%s",
            inputs.spec,
            chunked,
            inputs.batch,
            inputs.tokens,
            inputs.queryHeads,
            inputs.keyHeads,
            inputs.padding)
        .that(error)
        .isLessThan(tolerance(inputs.spec.dtype()));
  }
}
