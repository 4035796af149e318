package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PrefillProblem;

final class StateTest {
  private static final ServeOptions SERVE = ServeOptions.defaults();
  private static final ForwardOptions FORWARD = ForwardOptions.defaults();

  private final OperatorFixture f = new OperatorFixture(true);

  @AfterEach
  void close() {
    f.close();
  }

  /** Returns a state as one that has served, whose every byte is random. */
  private static State served(OperatorFixture fixture, int batch, int seed) {
    State state = fixture.gated.newState(batch, 3);
    Random random = new Random(seed);
    for (Memory block : state.sumBlocks()) {
      randomise(block, random);
    }
    for (Memory block : state.serving().windowBlocks()) {
      randomise(block, random);
    }
    state.markWindow();
    return state;
  }

  private static void randomise(Memory block, Random random) {
    byte[] bytes = new byte[(int) block.bytes()];
    random.nextBytes(bytes);
    block.write(0, ByteBuffer.wrap(bytes));
  }

  /** Returns the bytes of a sequence: S, z, keys, values, log gates, spans. */
  private static List<byte[]> sequence(State state, int sequence) {
    List<Memory> blocks = new ArrayList<>(state.sumBlocks());
    blocks.addAll(state.serving().windowBlocks());
    List<byte[]> parts = new ArrayList<>();
    for (Memory block : blocks) {
      byte[] part = new byte[(int) block.bytes() / state.batch()];
      block.read((long) sequence * part.length, ByteBuffer.wrap(part));
      parts.add(part);
    }
    return parts;
  }

  private static void assertSame(List<byte[]> given, List<byte[]> expected) {
    assertThat(given).hasSize(expected.size());
    for (int n = 0; n < given.size(); n++) {
      assertThat(given.get(n)).isEqualTo(expected.get(n));
    }
  }

  @Test
  void waitingTokensAreFoldedBeforeForwardOnItsStream() {
    State state = f.gated.newState(2, 3);
    Stream stream = f.device.newStream();
    f.gated.forward(f.q, f.k, f.v, f.logG, FORWARD.initialState(state));
    f.gated.prefill(state, f.q, f.k, f.v, f.logG, SERVE);
    f.gated.forward(f.q, f.k, f.v, f.logG, FORWARD.initialState(state).stream(stream));
    f.gated.forward(f.q, f.k, f.v, f.logG, FORWARD.initialState(state));
    assertThat(kinds())
        .containsExactly(
            "ForwardProblem", "PrefillProblem", "Fold", "ForwardProblem", "ForwardProblem")
        .inOrder();
    FakeBackend.Fold fold = f.only(FakeBackend.Fold.class);
    assertThat(fold.stream()).isEqualTo(stream.handle());
    assertThat(fold.batch()).isEqualTo(2);
    assertThat(fold.keyHeads()).isEqualTo(3);
    assertThat(fold.state()).isEqualTo(f.only(PrefillProblem.class).state());
    ForwardProblem last = f.backend.problems.get(2);
    assertThat(last.initialState().window()).isNull();
  }

  @Test
  void waitingTokensAreFoldedBeforeBackwardAndOnceForAStateThatIsBoth() {
    State state = f.gated.newState(2, 3);
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, SERVE);
    f.gated.backward(f.q, f.k, f.v, f.logG, f.dY, BackwardOptions.defaults().initialState(state));
    assertThat(kinds()).containsExactly("DecodeProblem", "Fold", "BackwardProblem").inOrder();
    assertThat(f.only(BackwardProblem.class).initialState().window()).isNull();
    f.backend.calls.clear();
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, SERVE);
    f.gated.forward(f.q, f.k, f.v, f.logG, FORWARD.initialState(state).finalState(state));
    assertThat(kinds()).containsExactly("DecodeProblem", "Fold", "ForwardProblem").inOrder();
  }

  @Test
  void theFinalStatesWindowIsEmptied() {
    State state = f.gated.newState(2, 3);
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, SERVE);
    f.gated.forward(f.q, f.k, f.v, f.logG, FORWARD.finalState(state));
    assertThat(kinds()).containsExactly("DecodeProblem", "Fold", "ForwardProblem").inOrder();
    assertThat(state.holdsWindow()).isFalse();
  }

  private List<String> kinds() {
    return f.backend.calls.stream().map(call -> call.getClass().getSimpleName()).toList();
  }

  @Test
  void sumsAreHandedOutWhole() {
    State state = f.gated.newState(2, 3);
    state.sums();
    state.keySums();
    assertThat(f.backend.calls).isEmpty();
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, SERVE);
    state.sums();
    assertThat(f.only(FakeBackend.Fold.class).stream()).isEqualTo(0);
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, SERVE);
    state.keySums();
    assertThat(f.backend.calls).hasSize(4);
  }

  @Test
  void withoutItsOperatorWaitingTokensCannotBeFolded() {
    State state = f.gated.newState(2, 3);
    State idle = f.gated.newState(2, 3);
    PowerAttentionOperator other = OperatorFixture.load(f.device, OperatorFixture.GATED);
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, SERVE);
    f.gated.close();
    assertThat(idle.sums().shape()).isEqualTo(new long[] {2, 3, 192, 16});
    other.forward(f.q, f.k, f.v, f.logG, FORWARD.initialState(idle));
    IllegalStateException failure = assertThrows(IllegalStateException.class, state::sums);
    assertThat(failure).hasMessageThat().contains("holds tokens in its window");
    assertThrows(IllegalStateException.class, state::keySums);
    assertThrows(
        IllegalStateException.class,
        () -> other.forward(f.q, f.k, f.v, f.logG, FORWARD.initialState(state)));
    other.forward(f.q, f.k, f.v, f.logG, FORWARD.initialState(state.copyTo(other)));
    assertThat(kinds())
        .containsExactly("DecodeProblem", "ForwardProblem", "Fold", "ForwardProblem")
        .inOrder();
  }

  @Test
  void oneSequenceIsResetAndTheOthersStay() {
    State state = served(f, 3, 1);
    List<byte[]> before = sequence(state, 0);
    List<byte[]> after = sequence(state, 2);
    state.reset(1);
    assertSame(sequence(state, 0), before);
    assertSame(sequence(state, 2), after);
    List<byte[]> middle = sequence(state, 1);
    // S, z and the spans; what the slots of an empty window hold is of no interest.
    for (int part : new int[] {0, 1, 5}) {
      assertThat(middle.get(part)).isEqualTo(new byte[middle.get(part).length]);
    }
    assertThat(state.holdsWindow()).isTrue();
  }

  @Test
  void aWholeStateIsReset() {
    State state = served(f, 2, 2);
    state.reset();
    for (int sequence = 0; sequence < 2; sequence++) {
      List<byte[]> parts = sequence(state, sequence);
      for (int part : new int[] {0, 1, 5}) {
        assertThat(parts.get(part)).isEqualTo(new byte[parts.get(part).length]);
      }
    }
    state.sums();
    assertThat(f.backend.calls).isEmpty();
  }

  @Test
  void oneSequenceIsReplacedAndTheOthersStay() {
    State state = served(f, 3, 3);
    State other = served(f, 2, 4);
    List<byte[]> first = sequence(state, 0);
    List<byte[]> second = sequence(state, 1);
    state.replace(2, other, 1);
    assertSame(sequence(state, 0), first);
    assertSame(sequence(state, 1), second);
    assertSame(sequence(state, 2), sequence(other, 1));
    state.replace(0, state, 1);
    assertSame(sequence(state, 0), second);
    state.replace(1, state, 1);
    assertSame(sequence(state, 1), second);
  }

  @Test
  void replacingWorksWhetherOrNotEitherHasServed() {
    State fresh = f.gated.newState(2, 3);
    State other = served(f, 2, 5);
    fresh.replace(1, other, 0);
    assertSame(sequence(fresh, 1), sequence(other, 0));
    assertThat(fresh.holdsWindow()).isTrue();
    State empty = f.gated.newState(1, 3);
    List<byte[]> kept = sequence(other, 0);
    other.replace(1, empty, 0);
    assertThat(empty.hasWindowMemory()).isFalse();
    assertSame(sequence(other, 0), kept);
    for (int part : new int[] {0, 1, 5}) {
      byte[] bytes = sequence(other, 1).get(part);
      assertThat(bytes).isEqualTo(new byte[bytes.length]);
    }
  }

  @Test
  void wrongSequencesAndStatesAreRefused() {
    State state = f.gated.newState(2, 3);
    refused("sequence = 2; allowed: 0 to 1", () -> state.reset(2));
    refused("sequence = -1; allowed: 0 to 1", () -> state.reset(-1));
    refused("sequence = 2; allowed: 0 to 1", () -> state.replace(2, state, 0));
    refused("otherSequence = 2; allowed: 0 to 1", () -> state.replace(0, state, 2));
    refused("with 2 key/value heads", () -> state.replace(0, f.gated.newState(2, 2), 0));
    refused("its degree is 3", () -> state.replace(0, f.ungated.newState(2, 3), 0));
    refused("its degree is 2, the operator's 3", () -> state.copyTo(f.ungated));
    try (OperatorFixture elsewhere = new OperatorFixture(false)) {
      refused("on fake CPU", () -> state.replace(0, elsewhere.gated.newState(2, 3), 0));
    }
    state.close();
    assertThrows(IllegalStateException.class, state::reset);
    assertThrows(IllegalStateException.class, () -> state.reset(0));
    assertThrows(IllegalStateException.class, state::copy);
    assertThrows(IllegalStateException.class, state::sums);
  }

  private static void refused(String part, Executable call) {
    IllegalArgumentException failure = assertThrows(IllegalArgumentException.class, call);
    assertThat(failure).hasMessageThat().contains(part);
  }

  @Test
  void aCopyIsIndependentAndMayBeOnAnotherDevice() {
    State state = served(f, 2, 6);
    List<byte[]> first = sequence(state, 0);
    List<byte[]> second = sequence(state, 1);
    State copy = state.copy();
    try (OperatorFixture cpu = new OperatorFixture(false)) {
      State moved = state.copyTo(cpu.gated);
      assertThat(moved.accelerator()).isSameInstanceAs(cpu.device);
      state.reset();
      for (State each : List.of(copy, moved)) {
        assertThat(each.holdsWindow()).isTrue();
        assertSame(sequence(each, 0), first);
        assertSame(sequence(each, 1), second);
      }
    }
    State fresh = f.gated.newState(1, 3).copy();
    assertThat(fresh.hasWindowMemory()).isFalse();
    KernelSpec larger = new KernelSpec(2, 16, 512, DType.BF16, true, true);
    KernelSpec large = new KernelSpec(2, 16, 256, DType.BF16, true, true);
    PowerAttentionOperator target = OperatorFixture.load(f.device, large);
    State fits = OperatorFixture.load(f.device, larger).newState(1, 1).copyTo(target);
    assertThat(fits.spec()).isEqualTo(large);
  }

  @Test
  void closingAStateFreesAllOfIt() {
    int blocks = f.backend.openBlocks.get();
    State state = f.gated.newState(2, 3);
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks + 2);
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, SERVE).close();
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks + 7);
    state.close();
    state.close();
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
  }
}
