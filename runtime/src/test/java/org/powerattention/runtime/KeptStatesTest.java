package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;

/**
 * States that a forward call keeps are not computed again, and take the memory that is reported.
 */
class KeptStatesTest {
  private static final int BATCH = 2;
  private static final int TOKENS = 200;
  private static final int QUERY_HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final List<String> GRADIENTS =
      List.of(
          "gate_sum",
          "row_terms",
          "state_gradient_walk",
          "join_gradients",
          "query_gradients",
          "key_gradients",
          "gate_totals",
          "gate_gradients");

  /** Four chunks of 64 tokens. */
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);

  private final FakeCuda cuda = new FakeCuda();

  /** Calls over one set of tensors. */
  private final class Calls implements AutoCloseable {
    final Accelerator device = new Accelerator(cuda.open());
    final PowerAttentionOperator operator;
    final Tensor q;
    final Tensor k;
    final Tensor logG = device.zeros(DType.FP32, BATCH, TOKENS, KEY_HEADS);

    Calls(KernelProgram program) {
      operator = PowerAttentionOperator.load(device, program);
      DType dtype = program.spec().dtype();
      q = device.zeros(dtype, BATCH, TOKENS, QUERY_HEADS, 16);
      k = device.zeros(dtype, BATCH, TOKENS, KEY_HEADS, 16);
    }

    /** Returns the kernels of a forward call. */
    List<String> forward(ForwardOptions options) {
      cuda.launched.clear();
      operator.forward(q, k, k, logG, options).close();
      return new ArrayList<>(cuda.launched);
    }

    /** Returns the kernels of a backward call. */
    List<String> backward(BackwardOptions options) {
      cuda.launched.clear();
      operator.backward(q, k, k, logG, q, options).close();
      return new ArrayList<>(cuda.launched);
    }

    @Override
    public void close() {
      device.close();
    }
  }

  private static List<String> joined(List<String> first, List<String> second) {
    List<String> all = new ArrayList<>(first);
    all.addAll(second);
    return all;
  }

  @Test
  void backwardComputesWhatForwardDidNotKeep() {
    try (Calls calls = new Calls(FakeCuda.program("Layer", SPEC))) {
      ForwardOptions forward = ForwardOptions.defaults().form(Form.CHUNKED);
      BackwardOptions backward = BackwardOptions.defaults().form(Form.CHUNKED);
      SavedForward saved = calls.operator.newSavedForward(BATCH, TOKENS, QUERY_HEADS);
      List<String> kernels = calls.forward(forward.save(saved));
      assertThat(kernels).containsAtLeast("gate_sum", "state_pass", "output_pass").inOrder();
      List<String> states = kernels.subList(0, kernels.indexOf("output_pass"));

      assertThat(calls.backward(backward.saved(saved))).isEqualTo(GRADIENTS);
      assertThat(calls.backward(backward)).isEqualTo(joined(kernels, GRADIENTS));
      assertThat(calls.forward(forward.saveOutputs(saved))).isEqualTo(kernels);
      assertThat(calls.backward(backward.saved(saved))).isEqualTo(joined(states, GRADIENTS));
    }
    assertThat(cuda.open).isEmpty();
  }

  /** The chunks of one form are not those of the other. */
  @Test
  void statesOfAnotherFormAreNotRead() {
    try (Calls calls = new Calls(FakeCuda.program("Layer", SPEC))) {
      SavedForward saved = calls.operator.newSavedForward(BATCH, TOKENS, QUERY_HEADS);
      calls.forward(ForwardOptions.defaults().form(Form.ATTENTION).save(saved));
      assertThat(calls.backward(BackwardOptions.defaults().form(Form.CHUNKED).saved(saved)))
          .containsAtLeast("state_pass", "state_gradient_walk")
          .inOrder();
      calls.forward(ForwardOptions.defaults().form(Form.CHUNKED).save(saved));
      assertThat(calls.backward(BackwardOptions.defaults().form(Form.ATTENTION).saved(saved)))
          .containsNoneOf("state_pass", "state_gradient_walk");
    }
  }

  @Test
  void anOperatorThatIsNotNormalizedKeepsStatesAlone() {
    KernelSpec plain = new KernelSpec(2, 16, 64, DType.BF16, true, false);
    try (Calls calls = new Calls(FakeCuda.program("Layer", plain))) {
      ForwardOptions forward = ForwardOptions.defaults().form(Form.CHUNKED);
      BackwardOptions backward = BackwardOptions.defaults().form(Form.CHUNKED);
      SavedForward saved = calls.operator.newSavedForward(BATCH, TOKENS, QUERY_HEADS);
      assertThat(saved.bytes()).isEqualTo(0);
      calls.forward(forward.save(saved));
      assertThat(saved.bytes()).isGreaterThan(0);
      assertThat(calls.backward(backward.saved(saved))).doesNotContain("state_pass");
      assertThat(calls.backward(backward)).contains("state_pass");
      assertThat(calls.backward(backward)).doesNotContain("output_pass");
    }
  }

  @Test
  void memoryIsTakenOnceAndReported() {
    long outputs = (long) BATCH * TOKENS * QUERY_HEADS * 17 * Float.BYTES;
    try (Calls calls = new Calls(FakeCuda.program("Layer", SPEC))) {
      ForwardOptions forward = ForwardOptions.defaults().form(Form.CHUNKED);
      SavedForward saved = calls.operator.newSavedForward(BATCH, TOKENS, QUERY_HEADS);
      calls.forward(forward.saveOutputs(saved));
      assertThat(saved.bytes()).isEqualTo(outputs);
      calls.forward(forward.save(saved));
      // Of 4 chunks of 4 heads, snapshots of 1,000 bytes, then z: D = 192 numbers in fp32.
      long states = saved.bytes() - outputs;
      assertThat(states).isAtLeast(16 * (1000L + 192 * Float.BYTES));
      assertThat(states).isAtMost(16 * (1000L + 192 * Float.BYTES) + 256);
      int open = cuda.open.size();
      calls.forward(forward.save(saved));
      assertThat(saved.bytes()).isEqualTo(outputs + states);
      assertThat(cuda.open).hasSize(open);
    }
    assertThat(cuda.open).isEmpty();
  }

  /** They are many times the size of the tokens of their chunks. */
  @Test
  void statesOfHigherDegreesAreComputedAgain() {
    KernelSpec spec = new KernelSpec(4, 16, 64, DType.BF16, true, true);
    try (Calls calls = new Calls(FakeCuda.program("Layer", spec))) {
      SavedForward saved = calls.operator.newSavedForward(BATCH, TOKENS, QUERY_HEADS);
      long outputs = saved.bytes();
      calls.forward(ForwardOptions.defaults().form(Form.CHUNKED).save(saved));
      assertThat(saved.bytes()).isEqualTo(outputs);
      assertThat(calls.backward(BackwardOptions.defaults().form(Form.CHUNKED).saved(saved)))
          .containsAtLeast("state_pass", "state_gradient_walk")
          .inOrder();
    }
  }

  /** Those in 32 bits have z in the snapshots. */
  @Test
  void keySumsLieApartInBf16Alone() {
    for (DType dtype : DType.values()) {
      KernelSpec spec = new KernelSpec(2, 16, 64, dtype, true, true);
      long each = 1000L + (dtype == DType.BF16 ? 192 * Float.BYTES : 0);
      try (Calls calls = new Calls(FakeCuda.program("Layer", spec))) {
        SavedForward saved = calls.operator.newSavedForward(BATCH, TOKENS, QUERY_HEADS);
        long outputs = saved.bytes();
        calls.forward(ForwardOptions.defaults().form(Form.CHUNKED).save(saved));
        assertWithMessage("%s", dtype).that(saved.bytes() - outputs).isAtLeast(16 * each);
        assertWithMessage("%s", dtype).that(saved.bytes() - outputs).isAtMost(16 * each + 256);
      }
    }
  }
}
