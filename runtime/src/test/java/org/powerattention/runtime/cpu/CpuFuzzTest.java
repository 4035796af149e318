package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/**
 * Random specs, sizes, strides and gates against the formula; and wild numbers, which must stay in
 * their sequence and head: all else is the same bit by bit, in the output, the gradients, the state
 * and a decode.
 */
final class CpuFuzzTest {
  /** Cases of each kind; more on a machine with time. */
  private static final int CASES = Integer.getInteger("test.fuzz", 60);

  private static final float[] WILD = {
    Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.MAX_VALUE, -1e30f, 1e-40f
  };

  private final Random random = new Random(11);

  private KernelSpec spec() {
    int degree = 1 + random.nextInt(3);
    int d = degree == 3 ? 16 : 16 << random.nextInt(2);
    boolean normalized = degree == 2 && random.nextBoolean();
    DType dtype = DType.values()[random.nextInt(DType.values().length)];
    return new KernelSpec(degree, d, 64, dtype, random.nextBoolean(), normalized);
  }

  private Case inputs(KernelSpec spec, int leastSequences, int leastHeads) {
    int keyHeads = leastHeads + random.nextInt(2);
    double gate = -Math.pow(10, -4 + 5 * random.nextDouble());
    Case inputs =
        new Case(
            spec,
            leastSequences + random.nextInt(2),
            1 + random.nextInt(200),
            keyHeads * (1 + random.nextInt(3)),
            keyHeads,
            gate,
            random.nextLong());
    inputs.padding = random.nextInt(4);
    return inputs;
  }

  private static double tolerance(DType dtype) {
    return switch (dtype) {
      case FP32 -> 1e-4;
      case FP16 -> 2e-3;
      default -> 1e-2;
    };
  }

  @Test
  void randomCasesAgreeWithTheFormula() {
    for (int n = 0; n < CASES; n++) {
      Case inputs = inputs(spec(), 1, 1);
      boolean chunked = random.nextBoolean();
      assertWithMessage("case %s, %s, %s tokens", n, inputs.spec, inputs.tokens)
          .that(new Reference(inputs).error(inputs.run(chunked).y(), 1 + inputs.tokens / 20))
          .isLessThan(tolerance(inputs.spec.dtype()));
    }
  }

  @Test
  void wildNumbersStayInTheirSequenceAndHead() {
    int touched = 0;
    for (int n = 0; n < CASES; n++) {
      Case inputs = inputs(spec(), 2, 2);
      boolean chunked = random.nextBoolean();
      GradientCase gradients = new GradientCase(inputs, random.nextLong()).withFinal(n);
      GradientCase.Result clean = gradients.run(chunked, false);
      int sequence = random.nextInt(inputs.batch);
      int head = random.nextInt(inputs.keyHeads);
      poison(inputs, gradients, sequence, head);
      GradientCase.Result wild = gradients.run(chunked, false);
      String what = "case " + n + ", " + inputs.spec;
      int d = inputs.spec.headDim();
      int group = inputs.queryHeads / inputs.keyHeads;
      float[][] before = {clean.y(), clean.q(), clean.k(), clean.v(), clean.logG()};
      float[][] after = {wild.y(), wild.q(), wild.k(), wild.v(), wild.logG()};
      for (int array = 0; array < before.length; array++) {
        int vector = array == 4 ? 1 : d;
        int heads = array < 2 ? inputs.queryHeads : inputs.keyHeads;
        for (int i = 0; i < before[array].length; i++) {
          int ownHead = i / vector % heads / (array < 2 ? group : 1);
          int ownSequence = i / vector / heads / inputs.tokens;
          if (ownHead != head || ownSequence != sequence) {
            same(what, array, i, before[array][i], after[array][i]);
          } else if (!Float.isFinite(after[array][i])) {
            touched++;
          }
        }
      }
      int perHead = inputs.spec.featureDim() * d;
      for (int i = 0; i < clean.finalSums().length; i++) {
        if (i / perHead != sequence * inputs.keyHeads + head) {
          same(what, 5, i, clean.finalSums()[i], wild.finalSums()[i]);
        }
      }
    }
    assertThat(touched).isGreaterThan(0);
  }

  private static void same(String what, int array, int i, float before, float after) {
    if (Float.floatToRawIntBits(before) != Float.floatToRawIntBits(after)) {
      assertWithMessage("%s, array %s, element %s", what, array, i).that(after).isEqualTo(before);
    }
  }

  /** Puts a wild number into one input of a key/value head or of a query head that reads it. */
  private void poison(Case inputs, GradientCase gradients, int sequence, int head) {
    int d = inputs.spec.headDim();
    int row = sequence * inputs.tokens + random.nextInt(inputs.tokens);
    int key = row * inputs.keyHeads + head;
    int group = inputs.queryHeads / inputs.keyHeads;
    int query = row * inputs.queryHeads + head * group + random.nextInt(group);
    float wild = WILD[random.nextInt(WILD.length)];
    int c = random.nextInt(d);
    switch (random.nextInt(5)) {
      case 0 -> inputs.q[query * d + c] = wild;
      case 1 -> inputs.k[key * d + c] = wild;
      case 2 -> inputs.v[key * d + c] = wild;
      case 3 -> gradients.dY[query * d + c] = wild;
      default -> {
        if (inputs.logG != null) {
          inputs.logG[key] = wild;
        }
      }
    }
  }

  @Test
  void aWildTokenInADecodeStaysInItsSequence() {
    for (int n = 0; n < CASES / 4; n++) {
      KernelSpec spec = spec();
      Case inputs = new Case(spec, 2, 60, 2, 1, -0.1, random.nextLong());
      Served clean = served(inputs);
      int d = spec.headDim();
      int at = (60 + random.nextInt(60)) * d + random.nextInt(d); // a key of sequence 1
      inputs.k[at] = WILD[random.nextInt(WILD.length)];
      Served wild = served(inputs);
      for (int i = 0; i < 60 * 2 * d; i++) {
        same("case " + n + ", " + spec, 0, i, clean.y[i], wild.y[i]);
      }
    }
  }

  private static Served served(Case inputs) {
    Served served = new Served(inputs);
    served.prefill(20, false);
    served.decode(40);
    return served;
  }
}
