package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** However a sequence is split into calls, its outputs and its state are those of the formula. */
class CpuServingAccuracyTest {
  private static final double[] GATES = {-2, -0.1, -0.001};

  static double tolerance(DType dtype) {
    return switch (dtype) {
      case BF16 -> 5e-3;
      case FP16 -> 2e-3;
      case FP32 -> 1e-5;
    };
  }

  static Stream<KernelSpec> specs() {
    List<KernelSpec> specs = new ArrayList<>();
    for (DType dtype : DType.values()) {
      boolean gated = dtype != DType.FP16;
      specs.add(new KernelSpec(1, 48, 64, dtype, gated, false));
      specs.add(new KernelSpec(2, 16, 1024, dtype, true, true));
      specs.add(new KernelSpec(2, 64, 128, dtype, gated, true));
      specs.add(new KernelSpec(3, 16, 128, dtype, gated, false));
      specs.add(new KernelSpec(4, 16, 64, dtype, gated, true));
    }
    specs.add(new KernelSpec(2, 128, 64, DType.BF16, true, true));
    specs.add(new KernelSpec(4, 16, 128, DType.FP32, true, false));
    return specs.stream();
  }

  @ParameterizedTest
  @MethodSource("specs")
  void anySplitIntoCallsGivesTheFormula(KernelSpec spec) {
    Random random = new Random(spec.toString().hashCode());
    for (double gate : GATES) {
      int keyHeads = 1 + random.nextInt(2);
      int queryHeads = keyHeads * (1 + random.nextInt(3));
      Case inputs = new Case(spec, 2, 330, queryHeads, keyHeads, gate, random.nextLong());
      inputs.padding = random.nextInt(4);
      inputs.scale *= 1 + random.nextDouble();
      Served served = new Served(inputs);
      // The sequences of a batch are at different positions from the start, and their windows are
      // full at different steps.
      String calls = "1 alone, decode 2 alone";
      served.prefill(1 + random.nextInt(150), random.nextBoolean(), 0);
      served.decode(1 + random.nextInt(20), 1);
      while (left(served) > 0) {
        calls += ", " + together(served, random);
      }
      for (int n = 0; n < 2; n++) {
        if (served.position[n] < inputs.tokens) {
          served.prefill(inputs.tokens - served.position[n], random.nextBoolean(), n);
        }
      }
      String what = spec + ", gate " + gate + ", calls: " + calls;
      assertWithMessage(what)
          .that(new Reference(inputs).error(served.y, 3))
          .isLessThan(tolerance(spec.dtype()));
      served.fold();
      int head = random.nextInt(2 * keyHeads);
      assertWithMessage(what).that(served.stateError(head)).isLessThan(2e-6);
    }
  }

  private static int left(Served served) {
    return served.inputs.tokens - Math.max(served.position[0], served.position[1]);
  }

  private static String together(Served served, Random random) {
    int most = left(served);
    int kind = random.nextInt(8);
    int tokens = Math.min(most, 1 + random.nextInt(random.nextBoolean() ? 8 : 170));
    boolean chunked = random.nextBoolean();
    switch (kind) {
      case 0 -> served.forward(tokens, chunked);
      case 1 -> served.fold();
      case 2, 3, 4 -> served.prefill(tokens, chunked);
      default -> served.decode(tokens);
    }
    return List.of("forward", "fold", "prefill").get(Math.min(kind, 2)) + " " + tokens;
  }

  @ParameterizedTest
  @MethodSource("specs")
  void decodingFromTheFirstTokenOnGivesTheFormula(KernelSpec spec) {
    int capacity = Math.min(128, spec.chunk());
    Case inputs = new Case(spec, 1, 3 * capacity + 5, 2, 1, -0.01, 11);
    Served served = new Served(inputs);
    // The ring wraps around at another token than at its capacity.
    served.startWindowAt(capacity - 3);
    for (int token = 0; token < inputs.tokens; token++) {
      served.decode(1);
      int folds = token < capacity ? 0 : (token - capacity) / (capacity / 2) + 1;
      assertThat(served.windowLength(0)).isEqualTo(token + 1 - folds * (capacity / 2));
    }
    assertWithMessage(spec.toString())
        .that(new Reference(inputs).error(served.y, 1))
        .isLessThan(tolerance(spec.dtype()));
    served.fold();
    assertThat(served.windowLength(0)).isEqualTo(0);
    assertWithMessage(spec.toString()).that(served.stateError(0)).isLessThan(2e-6);
  }
}
