package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/** What states do in the memory of a GPU without a kernel. */
@Tag("gpu")
class StateGpuTest {
  private static final int HEADS = 2;

  @Test
  void sequencesAreResetAndReplacedAndTheOthersStay() {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    try (Accelerator gpu = Accelerator.cuda(0);
        Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu);
        State state = attention.newState(3, HEADS);
        State other = attention.newState(2, HEADS)) {
      fill(state, 1);
      fill(other, 2);
      float[][] before = {sequence(state, 0), sequence(state, 1), sequence(state, 2)};
      state.replace(1, other, 0);
      state.reset(2);
      assertThat(sequence(state, 0)).isEqualTo(before[0]);
      assertThat(sequence(state, 1)).isEqualTo(sequence(other, 0));
      assertThat(sequence(state, 2)).isEqualTo(new float[before[2].length]);
      state.replace(2, state, 0);
      assertThat(sequence(state, 2)).isEqualTo(before[0]);
      try (State copy = state.copy()) {
        state.reset();
        assertThat(sequence(state, 0)).isEqualTo(new float[before[0].length]);
        assertThat(sequence(copy, 0)).isEqualTo(before[0]);
      }
    }
  }

  private static void fill(State state, long seed) {
    Random random = new Random(seed);
    Tensor sums = state.sums();
    float[] values = new float[(int) sums.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    sums.copyFrom(values);
  }

  private static float[] sequence(State state, int sequence) {
    return state.sums().select(0, sequence).toFloats();
  }
}
