package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/**
 * Random arguments, mostly wrong, in random calls on the CPU: each is carried out right or refused,
 * and whichever it is, nothing stays open. Results are compared bit by bit with those of the same
 * call on contiguous copies.
 */
final class ArgumentFuzzTest {
  /** Rounds of {@link #CALLS} calls; more on a machine with time. */
  private static final int ROUNDS = Integer.getInteger("test.fuzz", 60);

  private static final int CALLS = 60;
  private static final int D = 16;

  private final Random random;
  private int refused;
  private int computed;

  ArgumentFuzzTest() {
    random = new Random(7);
  }

  @Test
  void anyArgumentsAreComputedRightOrRefused() throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      try (Accelerator device = Accelerator.cpu();
          Accelerator other = Accelerator.cpu()) {
        new Round(device, other, spec()).run();
        assertWithMessage("open after round %s", round).that(open(device)).isEqualTo(0);
      }
    }
    assertThat(computed).isGreaterThan(ROUNDS);
    assertThat(refused).isGreaterThan(ROUNDS);
  }

  private KernelSpec spec() {
    int degree = 1 + random.nextInt(2);
    DType dtype = DType.values()[random.nextInt(DType.values().length)];
    return new KernelSpec(
        degree, D, 64, dtype, random.nextBoolean(), degree == 2 && random.nextBoolean());
  }

  /** Tensors, states and the like that an accelerator holds. */
  private static int open(Accelerator device) throws Exception {
    Field held = Accelerator.class.getDeclaredField("held");
    held.setAccessible(true);
    Field open = Lifetime.Siblings.class.getDeclaredField("open");
    open.setAccessible(true);
    return ((Set<?>) open.get(held.get(device))).size();
  }

  private final class Round {
    private final Accelerator device;
    private final Accelerator other;
    private final KernelSpec spec;
    private final List<AutoCloseable> made = new ArrayList<>();
    private final List<Tensor> tensors = new ArrayList<>();
    private final List<Tensor> gates = new ArrayList<>();
    private final List<State> states = new ArrayList<>();
    private PowerAttentionOperator operator;
    private final int batch = 1 + random.nextInt(2);
    private final int tokens = 1 + random.nextInt(80);
    private final int heads = 1 + random.nextInt(2);

    Round(Accelerator device, Accelerator other, KernelSpec spec) {
      this.device = device;
      this.other = other;
      this.spec = spec;
    }

    void run() throws Exception {
      KernelProgram program =
          new KernelProgram("Fuzz", spec, getClass(), List.of(), List.of(), List.of());
      operator = keep(PowerAttentionOperator.load(device, program));
      fill();
      for (int n = 0; n < CALLS; n++) {
        int before = open(device);
        String call = "call " + n + " of " + spec;
        try {
          call();
          computed++;
        } catch (IllegalArgumentException | IllegalStateException e) {
          refused++;
          assertWithMessage(call).that(e).hasMessageThat().isNotEmpty();
        } catch (NullPointerException e) {
          refused++;
          // By a check, and not by chance.
          if (e.getStackTrace().length == 0
              || !e.getStackTrace()[0].getMethodName().equals("requireNonNull")) {
            throw new AssertionError(call, e);
          }
        }
        // A state keeps its window from its first decode on.
        assertWithMessage(call).that(open(device)).isAtMost(before + 5 * states.size());
      }
      for (int n = made.size() - 1; n >= 0; n--) {
        made.get(n).close();
      }
    }

    private <T extends AutoCloseable> T keep(T resource) {
      made.add(resource);
      return resource;
    }

    /** Makes a pool of right and wrong arguments. */
    private void fill() {
      // Half fit each other; of the rest, one thing is wrong.
      for (int n = 0; n < 6; n++) {
        tensors.add(view(device, spec.dtype(), batch, tokens, heads, D));
        gates.add(gate(batch, tokens, heads));
      }
      tensors.add(view(device, spec.dtype(), batch, tokens, 2 * heads, D));
      tensors.add(view(device, spec.dtype(), batch, tokens, 3, D));
      tensors.add(view(device, spec.dtype(), batch, tokens + 1, heads, D));
      tensors.add(view(device, spec.dtype(), batch + 1, tokens, heads, D));
      tensors.add(view(device, spec.dtype(), batch, tokens, heads, D + 1));
      tensors.add(view(device, otherType(), batch, tokens, heads, D));
      tensors.add(view(other, spec.dtype(), batch, tokens, heads, D));
      tensors.add(tensors.get(0).permute(0, 2, 1, 3));
      tensors.add(tensors.get(0).permute(0, 1, 3, 2));
      tensors.add(tensors.get(0).select(0, 0));
      Tensor closed = device.zeros(spec.dtype(), batch, tokens, heads, D);
      closed.close();
      tensors.add(closed);
      tensors.add(null);
      for (int n = 0; n < 4; n++) {
        tensors.add(view(device, spec.dtype(), batch, 1, heads, D));
        gates.add(gate(batch, 1, heads));
      }
      gates.add(null);
      gates.add(null);
      gates.add(gate(batch, tokens + 1, heads));
      gates.add(view(device, DType.BF16, batch, tokens, heads));
      for (int n = 0; n < 3; n++) {
        states.add(keep(operator.newState(batch, heads)));
      }
      states.add(keep(operator.newState(batch + 1, heads)));
      State gone = operator.newState(batch, heads);
      gone.close();
      states.add(gone);
      states.add(null);
    }

    private DType otherType() {
      return spec.dtype() == DType.FP32 ? DType.BF16 : DType.FP32;
    }

    /** A tensor of random numbers, cut out of a larger one or with its dimensions exchanged. */
    private Tensor view(Accelerator where, DType dtype, long... shape) {
      long[] larger = shape.clone();
      int rank = shape.length;
      boolean exchanged = random.nextBoolean();
      if (exchanged) {
        larger[1] = shape[2];
        larger[2] = shape[1];
      }
      int margin = random.nextInt(3);
      for (int k = 0; k < Math.min(3, rank); k++) {
        larger[k] += margin;
      }
      float[] values = new float[(int) Arrays.stream(larger).reduce(1, (a, b) -> a * b)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      Tensor tensor = keep(where.tensor(dtype, values, larger));
      for (int k = 0; k < Math.min(3, rank); k++) {
        tensor = tensor.slice(k, margin, larger[k]);
      }
      if (!exchanged) {
        return tensor;
      }
      return rank == 4 ? tensor.permute(0, 2, 1, 3) : tensor.permute(0, 2, 1);
    }

    private Tensor gate(long... shape) {
      Tensor gate = keep(device.zeros(DType.FP32, shape));
      float[] values = new float[(int) gate.elements()];
      for (int i = 0; i < values.length; i++) {
        values[i] = -random.nextFloat();
      }
      gate.copyFrom(values);
      return gate;
    }

    private <T> T any(List<T> pool) {
      return pool.get(random.nextInt(pool.size()));
    }

    /** Mostly one that fits, so that calls get past the first check. */
    private Tensor tensor() {
      return random.nextInt(4) > 0 ? tensors.get(random.nextInt(6)) : any(tensors);
    }

    private Tensor gate() {
      if (!spec.gated() && random.nextInt(8) > 0) {
        return null;
      }
      return random.nextInt(6) > 0 ? gates.get(random.nextInt(6)) : any(gates);
    }

    private Tensor one() {
      return random.nextInt(6) > 0 ? tensors.get(tensors.size() - 1 - random.nextInt(4)) : tensor();
    }

    private Tensor gateOfOne() {
      if (!spec.gated()) {
        return null;
      }
      return random.nextInt(6) > 0 ? gates.get(6 + random.nextInt(4)) : any(gates);
    }

    private State state() {
      return random.nextInt(3) > 0 ? states.get(random.nextInt(3)) : any(states);
    }

    private ForwardOptions options() {
      ForwardOptions options =
          ForwardOptions.defaults().form(Form.values()[random.nextInt(Form.values().length)]);
      if (random.nextInt(4) == 0) {
        options = options.initialState(state());
      }
      if (random.nextInt(4) == 0) {
        options = options.finalState(state());
      }
      if (random.nextInt(8) == 0) {
        options = options.scale(random.nextBoolean() ? Double.NaN : random.nextGaussian());
      }
      return options;
    }

    private void call() {
      switch (random.nextInt(10)) {
        case 0, 1, 2 -> forward();
        case 3 -> operator.forwardInto(tensor(), tensor(), tensor(), tensor(), gate(), options());
        case 4 ->
            operator
                .backward(
                    tensor(), tensor(), tensor(), gate(), tensor(), BackwardOptions.defaults())
                .close();
        case 5 ->
            operator
                .prefill(state(), tensor(), tensor(), tensor(), gate(), ServeOptions.defaults())
                .close();
        case 6 ->
            operator
                .decode(state(), one(), one(), one(), gateOfOne(), ServeOptions.defaults())
                .close();
        case 7 -> views();
        case 8 -> PackedSequences.of(device, offsets()).close();
        default -> replace();
      }
    }

    private void replace() {
      State target = state();
      if (target != null) {
        target.replace(random.nextInt(4) - 1, state(), random.nextInt(4) - 1);
      }
    }

    private int[] offsets() {
      int[] offsets = new int[random.nextInt(4)];
      for (int n = 0; n < offsets.length; n++) {
        offsets[n] = n == 0 ? random.nextInt(2) : offsets[n - 1] + random.nextInt(5) - 1;
      }
      return offsets;
    }

    private void views() {
      Tensor tensor = any(tensors);
      if (tensor == null) {
        return;
      }
      long size = random.nextBoolean() ? random.nextInt(5) - 1 : random.nextLong();
      switch (random.nextInt(6)) {
        case 0 -> tensor.slice(random.nextInt(6) - 1, size, random.nextInt(9));
        case 1 -> tensor.select(random.nextInt(6) - 1, size);
        case 2 -> tensor.permute(random.nextInt(3), random.nextInt(3), 2, 3);
        case 3 -> tensor.reshape(size, random.nextInt(40));
        case 4 -> tensor.copyFrom(new float[random.nextInt(4)]);
        default -> device.zeros(DType.FP32, 1L << 40, size).close();
      }
    }

    private void forward() {
      Tensor q = tensor();
      Tensor k = tensor();
      Tensor v = tensor();
      Tensor g = gate();
      Form form = Form.values()[random.nextInt(Form.values().length)];
      ForwardOptions options = ForwardOptions.defaults().form(form);
      try (Tensor y = operator.forward(q, k, v, g, options);
          Tensor q2 = contiguous(q);
          Tensor k2 = contiguous(k);
          Tensor v2 = contiguous(v);
          Tensor again = operator.forward(q2, k2, v2, g, options)) {
        assertWithMessage("%s", spec).that(y.toFloats()).isEqualTo(again.toFloats());
      }
    }

    private Tensor contiguous(Tensor tensor) {
      return device.tensor(tensor.dtype(), tensor.toFloats(), tensor.shape());
    }
  }
}
