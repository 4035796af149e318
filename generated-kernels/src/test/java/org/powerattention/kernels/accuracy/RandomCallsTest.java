package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.PackedSequences;
import org.powerattention.runtime.Tensor;

/**
 * Calls of random sizes, layouts and forms, beside the formula as the CPU evaluates it, which has
 * no chunks. The system property {@code test.fuzz} says how many for each operator.
 */
class RandomCallsTest {
  private static final int CALLS = Integer.getInteger("test.fuzz", 20);
  private static final int MOST_TOKENS = 700;

  static List<TestOperator> operators() {
    String names = "P1D64.*|P2D(32|64|128)(Bf16|Fp16)|P2D80Fp16Bare|P2D48Fp32Ungated|P3D48.*|P4D.*";
    return TestOperator.all().stream()
        .filter(operator -> operator.name().matches(names))
        .filter(operator -> operator.spec().stateBytes() <= 64 << 20)
        .toList();
  }

  /** Whether the comparison itself holds; the CPU's forms have tests of their own. */
  static List<TestOperator> one() {
    return TestOperator.all().stream().filter(o -> o.name().equals("P2D32Bf16")).toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("one")
  void onTheCpu(TestOperator operator) {
    try (Accelerator device = Accelerator.cpu()) {
      compare(operator, device);
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  @Tag("gpu")
  @Execution(ExecutionMode.CONCURRENT)
  void onAGpu(TestOperator operator) {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    try (Accelerator device = Accelerator.cuda(0)) {
      compare(operator, device);
    }
  }

  private static void compare(TestOperator operator, Accelerator device) {
    try (Accelerator cpu = Accelerator.cpu();
        LoadedOperator expected = operator.on(cpu);
        LoadedOperator actual = operator.on(device)) {
      for (int seed = 0; seed < CALLS; seed++) {
        RandomCall call = new RandomCall(operator.spec(), seed);
        List<float[]> right = call.run(cpu, expected, Form.ATTENTION);
        List<float[]> got = call.run(device, actual, call.form);
        for (int n = 0; n < right.size(); n++) {
          assertWithMessage("%s, call %s: %s, result %s", operator, seed, call, n)
              .that(error(right.get(n), got.get(n)))
              .isLessThan(operator.spec().dtype() == DType.FP32 ? 1e-3 : 2e-2);
        }
      }
    }
  }

  private static double error(float[] right, float[] got) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < right.length; i++) {
      difference += Math.pow((double) right[i] - got[i], 2);
      norm += Math.pow(right[i], 2);
    }
    return Math.sqrt(difference / norm);
  }

  /** The arguments of one call, on any device. */
  private static final class RandomCall {
    private final KernelSpec spec;
    private final int seed;
    private final Form form;
    private final boolean packed;
    private final boolean headsFirst;
    private final int batch;
    private final int tokens;
    private final int keyHeads;
    private final int queryHeads;
    private final int[] offsets;

    RandomCall(KernelSpec spec, int seed) {
      Random random = new Random(seed);
      this.spec = spec;
      this.seed = seed;
      form = random.nextBoolean() ? Form.CHUNKED : Form.ATTENTION;
      packed = random.nextBoolean();
      headsFirst = random.nextBoolean();
      batch = packed ? 1 : 1 + random.nextInt(3);
      // A row of a single token has no gradients but rounding errors; among many it does not count.
      tokens = 20 + random.nextInt(MOST_TOKENS - 20);
      keyHeads = 1 + random.nextInt(3);
      queryHeads = keyHeads * (1 + random.nextInt(3));
      int cut = random.nextInt(tokens);
      offsets = new int[] {0, cut, cut, tokens};
    }

    List<float[]> run(Accelerator device, LoadedOperator operator, Form form) {
      Random random = new Random(seed);
      List<float[]> results = new ArrayList<>();
      List<Tensor> made = new ArrayList<>();
      try (PackedSequences sequences = PackedSequences.of(device, offsets)) {
        Tensor q = heads(made, device, random, queryHeads);
        Tensor k = heads(made, device, random, keyHeads);
        Tensor v = heads(made, device, random, keyHeads);
        Tensor dY = heads(made, device, random, queryHeads);
        Tensor y = heads(made, device, random, queryHeads);
        Tensor logG = gates(made, device, random);
        Tensor gates = spec.gated() ? logG : null;
        ForwardOptions forward = ForwardOptions.defaults().form(form);
        BackwardOptions backward = BackwardOptions.defaults().form(form);
        if (packed) {
          forward = forward.packed(sequences);
          backward = backward.packed(sequences);
        }
        operator.forwardInto(y, q, k, v, gates, forward);
        results.add(y.toFloats());
        try (Gradients g = operator.backward(q, k, v, gates, dY, backward)) {
          results.add(g.dQ().toFloats());
          results.add(g.dK().toFloats());
          results.add(g.dV().toFloats());
          g.dLogG().ifPresent(gradient -> results.add(gradient.toFloats()));
        }
      } finally {
        made.forEach(Tensor::close);
      }
      return results;
    }

    private static Tensor keep(List<Tensor> made, Tensor tensor) {
      made.add(tensor);
      return tensor;
    }

    /** A tensor of normal numbers; its memory has the heads before the tokens, or after them. */
    private Tensor heads(List<Tensor> made, Accelerator device, Random random, int heads) {
      int d = spec.headDim();
      float[] values = new float[batch * tokens * heads * d];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      if (headsFirst) {
        Tensor whole = device.tensor(spec.dtype(), values, batch, heads, tokens, d);
        Tensor view = keep(made, whole).permute(0, 2, 1, 3);
        return packed ? view.select(0, 0) : view;
      }
      Tensor whole = device.tensor(spec.dtype(), values, batch, tokens, heads, d);
      return packed ? keep(made, whole).select(0, 0) : keep(made, whole);
    }

    private Tensor gates(List<Tensor> made, Accelerator device, Random random) {
      float[] values = new float[batch * tokens * keyHeads];
      for (int i = 0; i < values.length; i++) {
        values[i] = -0.05f * random.nextFloat();
      }
      Tensor whole = device.tensor(DType.FP32, values, batch, tokens, keyHeads);
      return packed ? keep(made, whole).select(0, 0) : keep(made, whole);
    }

    @Override
    public String toString() {
      return String.format(
          "%s, %s x %d tokens, %d/%d heads%s%s",
          form,
          packed ? "packed, 1" : batch,
          tokens,
          queryHeads,
          keyHeads,
          packed ? ", cut at " + offsets[1] : "",
          headsFirst ? ", heads first" : "");
    }
  }
}
