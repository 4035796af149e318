package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.powerattention.runtime.spi.DecodeProblem;

final class DecodeStepTest {
  private final OperatorFixture f = new OperatorFixture(true);
  private final State state = f.gated.newState(2, 3);
  private final Tensor y = f.heads(2, 1, 6);

  @AfterEach
  void close() {
    f.close();
  }

  private DecodeStep capture(ServeOptions options) {
    return f.gated.captureDecode(y, state, f.q1, f.k1, f.v1, f.logG1, options);
  }

  @Test
  void aStepIsRecordedAndThenLaunchedOnItsStreamOrAnother() {
    Stream own = f.device.newStream();
    Stream other = f.device.newStream();
    DecodeStep step = capture(ServeOptions.defaults().stream(own));
    DecodeProblem problem = f.only(DecodeProblem.class);
    assertThat(problem.y().address()).isEqualTo(y.address());
    assertThat(problem.stream()).isEqualTo(own.handle());
    assertThat(f.backend.launches).isEqualTo(0);
    assertThat(state.holdsWindow()).isFalse();
    step.launch();
    assertThat(f.backend.launchStream).isEqualTo(own.handle());
    assertThat(state.holdsWindow()).isTrue();
    step.launch(other);
    assertThat(f.backend.launchStream).isEqualTo(other.handle());
    assertThat(f.backend.launches).isEqualTo(2);
    try (Accelerator elsewhere = new Accelerator(new FakeBackend(true))) {
      Stream foreign = elsewhere.newStream();
      assertThrows(IllegalArgumentException.class, () -> step.launch(foreign));
    }
  }

  @Test
  void everyLaunchAfterAFoldCountsAsUsingTheWindowAgain() {
    DecodeStep step = capture(ServeOptions.defaults());
    step.launch();
    state.sums();
    step.launch();
    state.sums();
    state.sums();
    assertThat(f.backend.calls.stream().filter(FakeBackend.Fold.class::isInstance).count())
        .isEqualTo(2);
  }

  @Test
  void nothingIsLaunchedWithSomethingThatIsClosed() {
    DecodeStep step = capture(ServeOptions.defaults());
    DecodeStep second = capture(ServeOptions.defaults());
    assertThat(f.backend.openCaptures.get()).isEqualTo(2);
    step.close();
    step.close();
    assertThat(f.backend.openCaptures.get()).isEqualTo(1);
    assertThrows(IllegalStateException.class, step::launch);
    second.launch();
    f.logG1.close();
    assertThrows(IllegalStateException.class, second::launch);
    DecodeStep third =
        f.gated.captureDecode(
            y, state, f.q1, f.k1, f.v1, f.logG.slice(1, 0, 1), ServeOptions.defaults());
    state.close();
    assertThrows(IllegalStateException.class, third::launch);
    assertThat(f.backend.launches).isEqualTo(1);
    f.close();
    assertThat(f.backend.openCaptures.get()).isEqualTo(0);
    assertThat(f.backend.openBlocks.get()).isEqualTo(0);
  }

  @Test
  void aClosedOperatorOrOutputIsNotLaunched() {
    DecodeStep step = capture(ServeOptions.defaults());
    f.gated.close();
    assertThrows(IllegalStateException.class, step::launch);
    try (OperatorFixture g = new OperatorFixture(true)) {
      Tensor result = g.heads(2, 1, 6);
      DecodeStep other =
          g.gated.captureDecode(
              result, g.gated.newState(2, 3), g.q1, g.k1, g.v1, g.logG1, ServeOptions.defaults());
      result.close();
      assertThrows(IllegalStateException.class, other::launch);
    }
  }

  @Test
  void launchingAllocatesNothingOnTheHeap() {
    Stream stream = f.device.newStream();
    DecodeStep step = capture(ServeOptions.defaults().stream(stream));
    for (int n = 0; n < 20_000; n++) {
      step.launch();
      step.launch(stream);
    }
    long before = AllocatedBytes.ofThisThread();
    for (int n = 0; n < 10_000; n++) {
      step.launch();
      step.launch(stream);
    }
    // Measuring takes a few objects itself; one object per launch would be 16 bytes each.
    assertThat(AllocatedBytes.ofThisThread() - before).isLessThan(10_000);
    long beforeCalls = AllocatedBytes.ofThisThread();
    for (int n = 0; n < 100; n++) {
      f.gated.decodeInto(y, state, f.q1, f.k1, f.v1, f.logG1, ServeOptions.defaults());
    }
    assertThat(AllocatedBytes.ofThisThread() - beforeCalls).isGreaterThan(1_600);
  }
}
