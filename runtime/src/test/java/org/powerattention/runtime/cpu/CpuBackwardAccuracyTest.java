package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** All gradients in both forms against the differentiated formula in fp64. */
class CpuBackwardAccuracyTest {
  private static final double STRONG = -2;
  private static final double WEAK = -0.001;

  /** Larger states only take longer: the same loops run over more tiles. */
  private static final long MOST_STATE_BYTES = 4 << 20;

  static double tolerance(DType dtype) {
    return switch (dtype) {
      case BF16 -> 1e-2;
      case FP16 -> 5e-3;
      case FP32 -> 2e-5;
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
    specs.add(new KernelSpec(3, 16, 128, DType.BF16, true, false));
    specs.add(new KernelSpec(4, 16, 128, DType.BF16, true, true));
    specs.add(new KernelSpec(4, 16, 128, DType.FP16, false, false));
    return specs.stream();
  }

  @ParameterizedTest
  @MethodSource("specs")
  void bothFormsAgreeWithTheFormula(KernelSpec spec) {
    Random random = new Random(spec.toString().hashCode());
    int[] lengths = {1, 2 + random.nextInt(60), 127 + random.nextInt(3), 280 + random.nextInt(100)};
    for (int tokens : lengths) {
      int keyHeads = 1 + random.nextInt(2);
      int queryHeads = keyHeads * (1 + random.nextInt(3));
      int batch = tokens > 200 ? 1 : 1 + random.nextInt(2);
      double gate = random.nextBoolean() ? STRONG : WEAK;
      Case inputs = new Case(spec, batch, tokens, queryHeads, keyHeads, gate, random.nextLong());
      inputs.padding = random.nextInt(8);
      inputs.scale *= 1 + random.nextDouble();
      check(new GradientCase(inputs, random.nextLong()), random.nextBoolean());
    }
  }

  static void check(GradientCase gradients, boolean saved) {
    GradientReference reference = new GradientReference(gradients);
    for (boolean chunked : new boolean[] {false, true}) {
      GradientCase.Result result = gradients.run(chunked, saved);
      for (int i = 0; i < GradientCase.NAMES.length; i++) {
        Case inputs = gradients.inputs;
        double error = reference.error(result.all()[i], i);
        assertWithMessage(
                "relative L2 error of %s: %s, chunked %s, saved %s, b=%s t=%s hq=%s h=%s",
                GradientCase.NAMES[i],
                inputs.spec,
                chunked,
                saved,
                inputs.batch,
                inputs.tokens,
                inputs.queryHeads,
                inputs.keyHeads)
            .that(error)
            .isLessThan(tolerance(inputs.spec.dtype()));
      }
    }
  }
}
