package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Whatever allocation of a call fails, what it had allocated before is freed. */
final class AllocationFailureTest {
  private interface Call {
    void on(OperatorFixture f) throws IOException;
  }

  private static final Map<String, Call> CALLS = new LinkedHashMap<>();
  private static final Map<String, Integer> ALLOCATIONS = new LinkedHashMap<>();

  private static void add(String name, int allocations, Call call) {
    CALLS.put(name, call);
    ALLOCATIONS.put(name, allocations);
  }

  static {
    add("forward", 1, f -> f.gated.forward(f.q, f.k, f.v, f.logG, ForwardOptions.defaults()));
    add("newState", 2, f -> f.gated.newState(2, 3));
    add("newSavedForward", 2, f -> f.gated.newSavedForward(2, 10, 6));
    add("packed", 1, f -> PackedSequences.of(f.device, 0, 4));
    add(
        "backward",
        4,
        f -> f.gated.backward(f.q, f.k, f.v, f.logG, f.dY, BackwardOptions.defaults()));
    add(
        "backward with a state",
        6,
        f ->
            f.gated.backward(
                f.q, f.k, f.v, f.logG, f.dY, BackwardOptions.defaults().initialState(f.state)));
  }

  @Test
  void nothingLeaks() throws IOException {
    for (Map.Entry<String, Call> entry : CALLS.entrySet()) {
      int allocations = ALLOCATIONS.get(entry.getKey());
      for (int n = 0; n < allocations; n++) {
        try (OperatorFixture f = new OperatorFixture(true)) {
          int blocks = f.backend.openBlocks.get();
          f.backend.allocationsLeft = n;
          assertThrows(DeviceException.class, () -> entry.getValue().on(f));
          assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
          assertThat(f.backend.calls).isEmpty();
        }
      }
      try (OperatorFixture f = new OperatorFixture(true)) {
        f.backend.allocationsLeft = allocations;
        entry.getValue().on(f);
      }
    }
  }

  @Test
  void servingMemoryIsMadeWholeOrNotAtAll() {
    // y, four blocks of the window, the workspace; what belongs to the state stays with it.
    for (int n = 0; n < 6; n++) {
      try (OperatorFixture f = new OperatorFixture(true)) {
        State state = f.gated.newState(2, 3);
        int blocks = f.backend.openBlocks.get();
        f.backend.allocationsLeft = n;
        assertThrows(DeviceException.class, () -> decode(f, state));
        assertThat(f.backend.openBlocks.get()).isEqualTo(n < 5 ? blocks : blocks + 4);
        assertThat(state.holdsWindow()).isFalse();
        f.backend.allocationsLeft = Integer.MAX_VALUE;
        decode(f, state).close();
        state.close();
        assertThat(f.backend.openBlocks.get()).isEqualTo(blocks - 2);
      }
    }
  }

  private static Tensor decode(OperatorFixture f, State state) {
    return f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, ServeOptions.defaults());
  }

  @Test
  void copiesAndLoadsFreeWhatTheyMadeWhenTheyFail() throws IOException {
    for (int n = 0; n < 6; n++) {
      try (OperatorFixture f = new OperatorFixture(true)) {
        State state = f.state;
        decode(f, state).close();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        state.save(bytes);
        int blocks = f.backend.openBlocks.get();
        f.backend.allocationsLeft = n;
        assertThrows(DeviceException.class, state::copy);
        assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
        f.backend.allocationsLeft = n;
        assertThrows(
            DeviceException.class,
            () -> f.gated.loadState(new ByteArrayInputStream(bytes.toByteArray())));
        assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
      }
    }
  }

  @Test
  void theOutputsOfAFailedLaunchAreFreed() {
    try (OperatorFixture f = new OperatorFixture(true)) {
      State state = f.state;
      decode(f, state).close();
      int blocks = f.backend.openBlocks.get();
      f.backend.failing = true;
      assertThrows(DeviceException.class, () -> decode(f, state));
      assertThrows(
          DeviceException.class,
          () -> f.gated.prefill(state, f.q, f.k, f.v, f.logG, ServeOptions.defaults()));
      assertThrows(
          DeviceException.class,
          () -> f.gated.forward(f.q, f.k, f.v, f.logG, ForwardOptions.defaults()));
      assertThrows(
          DeviceException.class,
          () -> f.gated.backward(f.q, f.k, f.v, f.logG, f.dY, BackwardOptions.defaults()));
      assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
    }
  }
}
