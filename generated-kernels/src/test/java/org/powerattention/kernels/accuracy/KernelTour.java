package org.powerattention.kernels.accuracy;

import java.util.List;
import java.util.Random;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * Runs every kernel once on small sequences, with states, for a tool that watches them: {@code
 * compute-sanitizer --tool memcheck} on this class, or racecheck, see {@link RacecheckSources}.
 * Every degree and dtype, narrow and wide heads, gated and not, normalised and not; two chunks and
 * some, several segments.
 */
final class KernelTour {
  private KernelTour() {}

  /** Takes a regular expression of the operators to visit; without, all of the tour. */
  public static void main(String[] arguments) {
    Random random = new Random(1);
    String names = arguments.length > 0 ? arguments[0] : ".*";
    try (Accelerator device = Accelerator.cuda(0)) {
      for (TestOperator operator : operators(names)) {
        visit(device, operator, random);
        serve(device, operator);
        System.out.println("visited " + operator.name());
      }
    }
  }

  /** Operators of the tour whose names match a regular expression. */
  static List<TestOperator> operators(String names) {
    return TestOperator.all().stream()
        .filter(operator -> operator.name().matches(names))
        .filter(KernelTour::isVisited)
        .toList();
  }

  private static boolean isVisited(TestOperator operator) {
    KernelSpec spec = operator.spec();
    boolean variant = !operator.name().matches("P\\dD\\d+(Bf16|Fp16|Fp32)");
    boolean narrow = spec.headDim() == (spec.degree() == 4 ? 16 : 32);
    boolean wide = spec.headDim() == 80 && spec.degree() <= 2;
    return (variant || narrow || wide) && spec.stateBytes() < 8 << 20 && spec.chunk() <= 512;
  }

  private static void visit(Accelerator device, TestOperator operator, Random random) {
    KernelSpec spec = operator.spec();
    int tokens = 2 * spec.chunk() + 70;
    try (LoadedOperator loaded = new LoadedOperator(operator, device);
        Tensor q = normal(device, spec, random, tokens, 2);
        Tensor k = normal(device, spec, random, tokens, 1);
        Tensor v = normal(device, spec, random, tokens, 1);
        Tensor y = device.zeros(spec.dtype(), 1, tokens, 2, spec.headDim());
        Tensor gates =
            device.tensor(
                org.powerattention.annotations.DType.FP32, new float[tokens], 1, tokens, 1);
        State state = loaded.newState(1, 1)) {
      for (Form form : new Form[] {Form.ATTENTION, Form.CHUNKED}) {
        ForwardOptions options = ForwardOptions.defaults().form(form);
        loaded.forwardInto(y, q, k, v, spec.gated() ? gates : null, options);
        loaded.forwardInto(
            y, q, k, v, spec.gated() ? gates : null, options.initialState(state).finalState(state));
        BackwardOptions backward =
            BackwardOptions.defaults().form(form).initialState(state).dFinalState(state);
        loaded.backward(q, k, v, spec.gated() ? gates : null, y, backward).close();
      }
      device.synchronize();
    }
  }

  /** Prefill in two calls, then as many steps as it takes to fold a window twice. */
  private static void serve(Accelerator device, TestOperator operator) {
    KernelSpec spec = operator.spec();
    int prompt = 200;
    int tokens = prompt + spec.windowTokens() + 10;
    Sequences sequences = Sequences.random(1, tokens, 2, 1, spec.headDim(), Gates.WEAK, 3);
    try (LoadedOperator loaded = new LoadedOperator(operator, device);
        DeviceInputs in = new DeviceInputs(device, spec, sequences, DeviceInputs.Arrangement.ODD);
        Serving serving = new Serving(device, loaded, in)) {
      serving.prefill(prompt - 90);
      serving.prefill(90);
      serving.decode(tokens - prompt - 5);
      serving.launch(3);
      serving.forward(2);
      device.synchronize();
    }
  }

  private static Tensor normal(
      Accelerator device, KernelSpec spec, Random random, int tokens, int heads) {
    float[] values = new float[tokens * heads * spec.headDim()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return device.tensor(spec.dtype(), values, 1, tokens, heads, spec.headDim());
  }
}
