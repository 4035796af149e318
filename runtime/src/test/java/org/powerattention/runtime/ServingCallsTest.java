package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;

final class ServingCallsTest {
  private static final ServeOptions DEFAULTS = ServeOptions.defaults();

  private final OperatorFixture f = new OperatorFixture(true);
  private final State state = f.gated.newState(2, 3);

  @AfterEach
  void close() {
    f.close();
  }

  @Test
  void aPrefillReachesTheBackendWithItsSizesAndPlaces() {
    Stream stream = f.device.newStream();
    Tensor y =
        f.gated.prefill(
            state, f.q, f.k, f.v, f.logG, DEFAULTS.form(Form.CHUNKED).scale(0.25).stream(stream));
    assertThat(y.shape()).isEqualTo(f.q.shape());
    PrefillProblem problem = f.only(PrefillProblem.class);
    assertThat(problem.batch()).isEqualTo(2);
    assertThat(problem.tokens()).isEqualTo(10);
    assertThat(problem.queryHeads()).isEqualTo(6);
    assertThat(problem.keyHeads()).isEqualTo(3);
    assertThat(problem.scale()).isEqualTo(0.25);
    assertThat(problem.chunked()).isTrue();
    assertThat(problem.stream()).isEqualTo(stream.handle());
    assertThat(problem.k().address()).isEqualTo(f.k.address());
    assertThat(problem.y().address()).isEqualTo(y.address());
    StateView view = problem.state();
    assertThat(view.sums().address()).isEqualTo(state.sumsAsTheyAre().address());
    assertThat(view.window().capacity()).isEqualTo(64);
    assertThat(view.window().keys().bytes()).isEqualTo(2 * 3 * 64 * 16 * 2);
    assertThat(view.window().values().bytes()).isEqualTo(2 * 3 * 64 * 16 * 2);
    assertThat(view.window().logGates().bytes()).isEqualTo(2 * 3 * 64 * 4);
    assertThat(view.window().spans().bytes()).isEqualTo(2 * 3 * 2 * 4);
  }

  @Test
  void anOperatorWithoutGatesHasAWindowWithoutThem() {
    Tensor plain = f.device.zeros(DType.FP32, 1, 1, 1, 16);
    f.ungated.decode(f.ungated.newState(1, 1), plain, plain, plain, null, DEFAULTS);
    StateView view = f.only(DecodeProblem.class).state();
    assertThat(view.keySums()).isNull();
    assertThat(view.window().logGates()).isNull();
    assertThat(view.window().capacity()).isEqualTo(128);
    assertThat(view.window().keys().bytes()).isEqualTo(128 * 16 * 4);
  }

  @Test
  void aDecodeReachesTheBackendWithItsWorkspace() {
    long before = state.bytes();
    Tensor y = f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, DEFAULTS.scale(2));
    assertThat(y.shape()).isEqualTo(new long[] {2, 1, 6, 16});
    DecodeProblem problem = f.only(DecodeProblem.class);
    assertThat(problem.scale()).isEqualTo(2);
    assertThat(problem.q().address()).isEqualTo(f.q1.address());
    assertThat(problem.logG().address()).isEqualTo(f.logG1.address());
    assertThat(problem.y().address()).isEqualTo(y.address());
    assertThat(problem.workspace().bytes()).isEqualTo(6 * FakeBackend.WORKSPACE_BYTES);
    assertThat(problem.state().window().capacity()).isEqualTo(64);
    long window = 2 * 3 * (64 * (2 * 16 * 2 + 4) + 8);
    assertThat(state.bytes()).isEqualTo(before + window + 6 * FakeBackend.WORKSPACE_BYTES);
  }

  @Test
  void laterDecodesAllocateOnlyTheirOutput() {
    f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, DEFAULTS).close();
    int blocks = f.backend.openBlocks.get();
    Tensor y = f.heads(2, 1, 6);
    f.backend.allocationsLeft = 0;
    f.gated.decodeInto(y, state, f.q1, f.k1, f.v1, f.logG1, DEFAULTS);
    // Fewer heads do with the workspace that is there.
    Tensor fewer = y.slice(2, 0, 3);
    f.gated.decodeInto(fewer, state, f.q1.slice(2, 0, 3), f.k1, f.v1, f.logG1, DEFAULTS);
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks + 1);
    DecodeProblem last = (DecodeProblem) f.backend.calls.get(2);
    assertThat(last.workspace())
        .isSameInstanceAs(((DecodeProblem) f.backend.calls.get(0)).workspace());
  }

  @Test
  void aWorkspaceStaysWhereItIsWhenALargerOneIsMade() {
    State wide = f.gated.newState(1, 1);
    Tensor q = f.heads(1, 1, 4);
    Tensor k = f.heads(1, 1, 1);
    Tensor logG = f.device.zeros(DType.FP32, 1, 1, 1);
    int blocks = f.backend.openBlocks.get();
    f.gated.decode(wide, q.slice(2, 0, 1), k, k, logG, DEFAULTS).close();
    f.gated.decode(wide, q, k, k, logG, DEFAULTS).close();
    // Four blocks of the window and two workspaces.
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks + 6);
    wide.close();
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks - 2);
  }

  @Test
  void wrongArgumentsAreRefused() {
    refused(
        "decode of 10 tokens per sequence; allowed: 1",
        () -> f.gated.decode(state, f.q, f.k, f.v, f.logG, DEFAULTS));
    refused(
        "state of batch 2, key/value heads 3; needed: batch 1",
        () ->
            f.gated.decode(
                state,
                f.heads(1, 1, 6),
                f.heads(1, 1, 3),
                f.heads(1, 1, 3),
                f.device.zeros(DType.FP32, 1, 1, 3),
                DEFAULTS));
    refused("logG = null", () -> f.gated.prefill(state, f.q, f.k, f.v, null, DEFAULTS));
    refused(
        "y of shape [2, 1, 6, 16]; expected: [2, 10, 6, 16]",
        () -> f.gated.prefillInto(f.q1, state, f.q, f.k, f.v, f.logG, DEFAULTS));
    refused(
        "y of shape [2, 10, 6, 16] overlaps q",
        () -> f.gated.prefillInto(f.q, state, f.q, f.k, f.v, f.logG, DEFAULTS));
    refused(
        "y of shape [2, 1, 6, 16] overlaps q",
        () -> f.gated.decodeInto(f.q1, state, f.q1, f.k1, f.v1, f.logG1, DEFAULTS));
    refused(
        "y of shape [2, 1, 6, 16] overlaps q",
        () -> f.gated.captureDecode(f.q1, state, f.q1, f.k1, f.v1, f.logG1, DEFAULTS));
    assertThrows(
        NullPointerException.class, () -> f.gated.prefill(null, f.q, f.k, f.v, f.logG, DEFAULTS));
    try (OperatorFixture other = new OperatorFixture(true)) {
      State elsewhere = other.gated.newState(2, 3);
      refused(
          "state belongs to another accelerator",
          () -> f.gated.prefill(elsewhere, f.q, f.k, f.v, f.logG, DEFAULTS));
      Stream stream = other.device.newStream();
      refused(
          "stream belongs to another accelerator",
          () -> f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, DEFAULTS.stream(stream)));
    }
    refused("scale = 0.0; allowed: positive and finite", () -> DEFAULTS.scale(0));
    assertThat(f.backend.calls).isEmpty();
    assertThat(state.hasWindowMemory()).isFalse();
    state.close();
    assertThrows(
        IllegalStateException.class, () -> f.gated.prefill(state, f.q, f.k, f.v, f.logG, DEFAULTS));
  }

  @Test
  void anInputInTheStateIsRefused() {
    State plain = f.ungated.newState(1, 1);
    Tensor inside = plain.sums().reshape(1280 * 16).slice(0, 0, 16).reshape(1, 1, 1, 16);
    Tensor apart = f.device.zeros(DType.FP32, 1, 1, 1, 16);
    refused(
        "state of shape [1, 1, 1280, 16] overlaps k",
        () -> f.ungated.decode(plain, apart, inside, apart, null, DEFAULTS));
    refused(
        "overlaps state",
        () -> f.ungated.decodeInto(inside, plain, apart, apart, apart, null, DEFAULTS));
  }

  @Test
  void theStateOfAnotherSpecIsRefusedWithWhatDiffers() {
    specRefused(
        new KernelSpec(4, 16, 64, DType.BF16, true, true), "its degree is 4, the operator's 2");
    specRefused(new KernelSpec(2, 32, 64, DType.BF16, true, true), "its headDim is 32");
    specRefused(new KernelSpec(2, 16, 64, DType.FP16, true, true), "its dtype is FP16");
    specRefused(new KernelSpec(2, 16, 64, DType.BF16, false, true), "its gated is false");
    specRefused(new KernelSpec(2, 16, 64, DType.BF16, true, false), "its normalized is false");
    specRefused(new KernelSpec(2, 16, 128, DType.BF16, true, true), "its windowTokens is 128");
    // Chunks may differ where the windows do not.
    KernelSpec large = new KernelSpec(2, 16, 256, DType.BF16, true, true);
    KernelSpec larger = new KernelSpec(2, 16, 512, DType.BF16, true, true);
    OperatorFixture.load(f.device, large)
        .prefill(
            OperatorFixture.load(f.device, larger).newState(2, 3), f.q, f.k, f.v, f.logG, DEFAULTS);
  }

  private void specRefused(KernelSpec spec, String part) {
    State other = OperatorFixture.load(f.device, spec).newState(2, 3);
    refused(part, () -> f.gated.prefill(other, f.q, f.k, f.v, f.logG, DEFAULTS));
  }

  @Test
  void rawAddressesAreTakenAsContiguousTensors() {
    long m = 1 << 20;
    f.gated.prefill(state, m, 2 * m, 3 * m, 4 * m, 1L << 40, 7, 6, DEFAULTS);
    PrefillProblem prefill = f.only(PrefillProblem.class);
    assertThat(prefill.tokens()).isEqualTo(7);
    assertThat(prefill.q().address()).isEqualTo(m);
    assertThat(prefill.v().address()).isEqualTo(3 * m);
    assertThat(prefill.logG().address()).isEqualTo(4 * m);
    assertThat(prefill.y().address()).isEqualTo(1L << 40);
    assertThat(prefill.k().batchStride()).isEqualTo(7 * 3 * 16);
    f.gated.decode(state, m, 2 * m, 3 * m, 4 * m, 1L << 40, 6, DEFAULTS);
    DecodeProblem decode = f.only(DecodeProblem.class);
    assertThat(decode.queryHeads()).isEqualTo(6);
    assertThat(decode.k().address()).isEqualTo(2 * m);
    assertThat(decode.y().batchStride()).isEqualTo(6 * 16);
    refused("logG = null", () -> f.gated.decode(state, m, 2 * m, 3 * m, 0, 1L << 40, 6, DEFAULTS));
    refused(
        "queryHeads = 5 with keyHeads = 3",
        () -> f.gated.decode(state, m, 2 * m, 3 * m, 4 * m, 1L << 40, 5, DEFAULTS));
    try (OperatorFixture cpu = new OperatorFixture(false)) {
      State host = cpu.gated.newState(2, 3);
      assertThrows(
          UnsupportedOperationException.class,
          () -> cpu.gated.decode(host, m, 2 * m, 3 * m, 4 * m, 1L << 40, 6, DEFAULTS));
    }
  }

  private static void refused(String part, Executable call) {
    IllegalArgumentException failure = assertThrows(IllegalArgumentException.class, call);
    assertThat(failure).hasMessageThat().contains(part);
  }
}
