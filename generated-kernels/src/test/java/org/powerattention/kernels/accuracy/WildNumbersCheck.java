package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.PackedSequences;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * One wild number in one input of one sequence and head: outputs, gradients and states of all
 * others have the same bits as without it.
 */
final class WildNumbersCheck {
  private static final float[] WILD = {Float.NaN, Float.POSITIVE_INFINITY, -1e38f};
  private static final int[] OFFSETS = {0, 37, 37, 337, 460};
  private static final int TOKENS = 460;
  private static final int SEQUENCES = 4;
  private static final int QUERY_HEADS = 4;
  private static final int KEY_HEADS = 2;

  // The sequence from token 37 on, in the middle of what a kernel takes at once.
  private static final int WILD_SEQUENCE = 2;
  private static final int WILD_TOKEN = 237;
  private static final int WILD_HEAD = 1;

  /** Tokens before a wild one that a kernel may multiply by zero together with it. */
  private static final int TILE = 128;

  /** Larger states are left out: comparing them takes longer than all the rest. */
  private static final long MOST_STATE_BYTES = 2 << 20;

  private final Accelerator device;
  private final LoadedOperator operator;
  private final KernelSpec spec;
  private final float[][] inputs;
  private int touched;

  WildNumbersCheck(Accelerator device, LoadedOperator operator) {
    this.device = device;
    this.operator = operator;
    this.spec = operator.operator().spec();
    Random random = new Random(11);
    this.inputs =
        new float[][] {
          normal(random, QUERY_HEADS * spec.headDim()),
          normal(random, KEY_HEADS * spec.headDim()),
          normal(random, KEY_HEADS * spec.headDim()),
          normal(random, QUERY_HEADS * spec.headDim()),
          normal(random, KEY_HEADS)
        };
    for (int i = 0; i < inputs[4].length; i++) {
      inputs[4][i] = -0.01f * Math.abs(inputs[4][i]);
    }
  }

  private static float[] normal(Random random, int perToken) {
    float[] values = new float[TOKENS * perToken];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Fails if a wild number gets where it must not; returns how many numbers were not finite. */
  int run(Form form) {
    for (boolean packed : new boolean[] {true, false}) {
      List<float[]> clean = call(form, packed);
      for (int input = 0; input < (spec.gated() ? 5 : 4); input++) {
        for (float wild : WILD) {
          int heads = input == 0 || input == 3 ? QUERY_HEADS : KEY_HEADS;
          int width = input == 4 ? 1 : spec.headDim();
          int at = (WILD_TOKEN * heads + WILD_HEAD * heads / KEY_HEADS) * width + width / 2;
          float before = inputs[input][at];
          inputs[input][at] = wild;
          compare(
              form + ", packed " + packed + ", input " + input + ", " + wild,
              packed,
              clean,
              call(form, packed));
          inputs[input][at] = before;
        }
      }
    }
    return touched;
  }

  /**
   * Returns y, dq, dk, dv, dlogG, and of sequences that are not packed the state, if it is small.
   */
  private List<float[]> call(Form form, boolean packed) {
    List<float[]> results = new ArrayList<>();
    int d = spec.headDim();
    try (Tensor q = tensor(packed, inputs[0], QUERY_HEADS, d);
        Tensor k = tensor(packed, inputs[1], KEY_HEADS, d);
        Tensor v = tensor(packed, inputs[2], KEY_HEADS, d);
        Tensor dY = tensor(packed, inputs[3], QUERY_HEADS, d);
        Tensor logG = gates(packed);
        Tensor y = tensor(packed, new float[inputs[0].length], QUERY_HEADS, d);
        PackedSequences sequences = PackedSequences.of(device, OFFSETS);
        State last = operator.newState(SEQUENCES, KEY_HEADS)) {
      ForwardOptions forward = ForwardOptions.defaults().form(form);
      BackwardOptions backward = BackwardOptions.defaults().form(form);
      boolean withState = !packed && spec.stateBytes() <= MOST_STATE_BYTES;
      if (packed) {
        forward = forward.packed(sequences);
        backward = backward.packed(sequences);
      }
      if (withState) {
        forward = forward.finalState(last);
      }
      operator.forwardInto(y, q, k, v, spec.gated() ? logG : null, forward);
      results.add(y.toFloats());
      try (Gradients g = operator.backward(q, k, v, spec.gated() ? logG : null, dY, backward)) {
        results.add(g.dQ().toFloats());
        results.add(g.dK().toFloats());
        results.add(g.dV().toFloats());
        results.add(g.dLogG().map(Tensor::toFloats).orElseGet(() -> new float[0]));
      }
      results.add(withState ? last.sums().toFloats() : new float[0]);
    }
    return results;
  }

  private Tensor tensor(boolean packed, float[] values, int heads, int width) {
    return packed
        ? device.tensor(spec.dtype(), values, TOKENS, heads, width)
        : device.tensor(spec.dtype(), values, SEQUENCES, TOKENS / SEQUENCES, heads, width);
  }

  private Tensor gates(boolean packed) {
    return packed
        ? device.tensor(DType.FP32, inputs[4], TOKENS, KEY_HEADS)
        : device.tensor(DType.FP32, inputs[4], SEQUENCES, TOKENS / SEQUENCES, KEY_HEADS);
  }

  private void compare(String what, boolean packed, List<float[]> clean, List<float[]> wild) {
    for (int array = 0; array < clean.size(); array++) {
      float[] before = clean.get(array);
      float[] after = wild.get(array);
      int heads = array < 2 ? QUERY_HEADS : KEY_HEADS;
      for (int i = 0; i < before.length; i++) {
        boolean own = array < 5 ? own(packed, array, i, heads) : ownState(before.length, i);
        // Nothing before it in a forward pass either, but for what shares a tile with it.
        boolean past = array == 0 && token(array, i, heads) < WILD_TOKEN - TILE;
        if (!own || past) {
          if (Float.floatToRawIntBits(before[i]) != Float.floatToRawIntBits(after[i])) {
            assertWithMessage("%s, %s, result %s, element %s", operator.operator(), what, array, i)
                .that(after[i])
                .isEqualTo(before[i]);
          }
        } else if (!Float.isFinite(after[i])) {
          touched++;
        }
      }
    }
  }

  private int token(int array, int i, int heads) {
    return i / (array == 4 ? 1 : spec.headDim()) / heads;
  }

  private boolean own(boolean packed, int array, int i, int heads) {
    int head = i / (array == 4 ? 1 : spec.headDim()) % heads / (heads / KEY_HEADS);
    int token = token(array, i, heads);
    boolean sequence =
        packed
            ? token >= OFFSETS[WILD_SEQUENCE] && token < OFFSETS[WILD_SEQUENCE + 1]
            : token / (TOKENS / SEQUENCES) == WILD_TOKEN / (TOKENS / SEQUENCES);
    return sequence && head == WILD_HEAD;
  }

  private static boolean ownState(int numbers, int i) {
    int perHead = numbers / SEQUENCES / KEY_HEADS;
    int sequence = WILD_TOKEN / (TOKENS / SEQUENCES);
    return i / perHead == sequence * KEY_HEADS + WILD_HEAD;
  }
}
