package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;

final class PackedSequencesTest {
  private static final ForwardOptions FORWARD = ForwardOptions.defaults();
  private static final BackwardOptions BACKWARD = BackwardOptions.defaults();

  private final OperatorFixture f = new OperatorFixture(true);
  private final PackedSequences packed = PackedSequences.of(f.device, 0, 3, 3, 10);
  private final Tensor q = f.heads(10, 6);
  private final Tensor k = f.heads(10, 3);
  private final Tensor v = f.heads(10, 3);
  private final Tensor logG = f.device.zeros(DType.FP32, 10, 3);
  private final Tensor dY = f.heads(10, 6);

  @AfterEach
  void close() {
    f.close();
  }

  @Test
  void theOffsetsLieOnTheDeviceAs64BitIntegers() {
    assertThat(packed.count()).isEqualTo(3);
    assertThat(packed.tokens()).isEqualTo(10);
    assertThat(packed.longest()).isEqualTo(7);
    ByteBuffer table = ByteBuffer.allocate(4 * 8).order(ByteOrder.nativeOrder());
    packed.view().table().read(0, table);
    table.flip();
    for (long offset : new long[] {0, 3, 3, 10}) {
      assertThat(table.getLong()).isEqualTo(offset);
    }
    packed.offsets()[1] = 99;
    assertThat(packed.offsets()).isEqualTo(new int[] {0, 3, 3, 10});
  }

  @Test
  void wrongOffsetsAreRefused() {
    wrong("give 0, where the first sequence starts");
    wrong("give 0, where the first sequence starts", 0);
    wrong("give 0, where the first sequence starts", 1, 4);
    wrong("offset 2 is less than the one before", 0, 4, 3, 9);
    wrong("all sequences are empty", 0, 0, 0);
    wrong("offset 1 is less", 0, -1);
  }

  private void wrong(String part, int... offsets) {
    int blocks = f.backend.openBlocks.get();
    refused(part, () -> PackedSequences.of(f.device, offsets));
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
  }

  @Test
  void callsOfPackedSequencesReachTheBackend() {
    State initial = f.gated.newState(3, 3);
    SavedForward saved = f.gated.newSavedForward(1, 10, 6);
    Tensor y =
        f.gated.forward(q, k, v, logG, FORWARD.packed(packed).initialState(initial).save(saved));
    assertThat(y.shape()).isEqualTo(new long[] {10, 6, 16});
    ForwardProblem problem = f.only(ForwardProblem.class);
    assertThat(problem.batch()).isEqualTo(3);
    assertThat(problem.tokens()).isEqualTo(7);
    assertThat(problem.queryHeads()).isEqualTo(6);
    assertThat(problem.keyHeads()).isEqualTo(3);
    assertThat(problem.q().batchStride()).isEqualTo(0);
    assertThat(problem.q().tokenStride()).isEqualTo(6 * 16);
    assertThat(problem.q().headStride()).isEqualTo(16);
    assertThat(problem.logG().batchStride()).isEqualTo(0);
    assertThat(problem.logG().tokenStride()).isEqualTo(3);
    assertThat(problem.logG().headStride()).isEqualTo(1);
    assertThat(problem.packed().offsets()).isEqualTo(new int[] {0, 3, 3, 10});
    Gradients gradients =
        f.gated.backward(
            q, k, v, logG, dY, BACKWARD.packed(packed).initialState(initial).saved(saved));
    assertThat(gradients.dK().shape()).isEqualTo(new long[] {10, 3, 16});
    assertThat(gradients.dLogG().orElseThrow().shape()).isEqualTo(new long[] {10, 3});
    assertThat(gradients.dInitialState().orElseThrow().batch()).isEqualTo(3);
    BackwardProblem backward = f.only(BackwardProblem.class);
    assertThat(backward.tokens()).isEqualTo(7);
    assertThat(backward.dV().batchStride()).isEqualTo(0);
    assertThat(backward.dLogG().tokenStride()).isEqualTo(3);
    assertThat(backward.packed().table()).isSameInstanceAs(problem.packed().table());
  }

  @Test
  void theAutomaticFormGoesByTheLongestSequence() {
    int crossover = (int) OperatorFixture.UNGATED.crossoverTokens();
    for (int longest : new int[] {crossover - 1, crossover}) {
      PackedSequences sequences = PackedSequences.of(f.device, 0, longest, longest + crossover - 1);
      f.ungated.forward(
          4096, 4096, 4096, 0, 1L << 40, 2, sequences.tokens(), 1, 1, FORWARD.packed(sequences));
    }
    assertThat(f.backend.problems.stream().map(ForwardProblem::chunked))
        .containsExactly(false, true)
        .inOrder();
  }

  @Test
  void tensorsThatDoNotFitTheOffsetsAreRefused() {
    ForwardOptions options = FORWARD.packed(packed);
    refused(
        "q of shape [2, 10, 6, 16]; expected: [total tokens, query heads, 16]",
        () -> f.gated.forward(f.q, f.k, f.v, f.logG, options));
    refused(
        "q of shape [10, 6, 16]; expected: [batch, tokens, query heads, 16]",
        () -> f.gated.forward(q, k, v, logG, FORWARD));
    refused(
        "q of shape [9, 6, 16]; expected: [10, 6, 16]",
        () -> f.gated.forward(q.slice(0, 0, 9), k, v, logG, options));
    refused(
        "k of shape [9, 3, 16]; expected: [10, 3, 16]",
        () -> f.gated.forward(q, k.slice(0, 0, 9), v, logG, options));
    refused(
        "logG of shape [10, 6]; expected: [10, 3]",
        () -> f.gated.forward(q, k, v, f.device.zeros(DType.FP32, 10, 6), options));
    refused(
        "batch 2, key/value heads 3; needed",
        () -> f.gated.forward(q, k, v, logG, options.initialState(f.gated.newState(2, 3))));
    refused(
        "batch = 3 and tokens = 7 given for 3 packed sequences of 10 tokens",
        () -> f.gated.forward(4096, 4096, 4096, 4096, 1L << 40, 3, 7, 1, 1, options));
    try (OperatorFixture other = new OperatorFixture(true)) {
      PackedSequences elsewhere = PackedSequences.of(other.device, 0, 10);
      refused(
          "packed belongs to another",
          () -> f.gated.forward(q, k, v, logG, FORWARD.packed(elsewhere)));
    }
    packed.close();
    assertThrows(IllegalStateException.class, () -> f.gated.forward(q, k, v, logG, options));
    assertThat(f.backend.calls).isEmpty();
  }

  @Test
  void savedOfOtherOffsetsIsRefused() {
    SavedForward saved = f.gated.newSavedForward(1, 10, 6);
    f.gated.forward(q, k, v, logG, FORWARD.packed(packed).save(saved));
    PackedSequences others = PackedSequences.of(f.device, 0, 4, 4, 10);
    refused(
        "the offsets have to be the same too",
        () -> f.gated.backward(q, k, v, logG, dY, BACKWARD.packed(others).saved(saved)));
    PackedSequences same = PackedSequences.of(f.device, 0, 3, 3, 10);
    f.gated.backward(q, k, v, logG, dY, BACKWARD.packed(same).saved(saved));
  }

  private static void refused(String part, Executable call) {
    IllegalArgumentException failure = assertThrows(IllegalArgumentException.class, call);
    assertThat(failure).hasMessageThat().contains(part);
  }
}
