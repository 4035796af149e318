package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.powerattention.runtime.OperatorFixture.GATED;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;

final class BackwardCallsTest {
  private static final BackwardOptions DEFAULTS = BackwardOptions.defaults();

  private final OperatorFixture f = new OperatorFixture(true);

  @AfterEach
  void close() {
    f.close();
  }

  private Gradients backward(BackwardOptions options) {
    return f.gated.backward(f.q, f.k, f.v, f.logG, f.dY, options);
  }

  @Test
  void aCallReachesTheBackendWithItsSizesAndPlaces() {
    Stream stream = f.device.newStream();
    Gradients gradients = backward(DEFAULTS.form(Form.CHUNKED).scale(0.5).stream(stream));
    assertThat(gradients.dQ().shape()).isEqualTo(f.q.shape());
    assertThat(gradients.dK().shape()).isEqualTo(f.k.shape());
    assertThat(gradients.dV().dtype()).isEqualTo(DType.BF16);
    assertThat(gradients.dLogG().orElseThrow().shape()).isEqualTo(f.logG.shape());
    assertThat(gradients.dLogG().orElseThrow().dtype()).isEqualTo(DType.FP32);
    assertThat(gradients.dInitialState()).isEmpty();
    BackwardProblem problem = f.only(BackwardProblem.class);
    assertThat(problem.spec()).isEqualTo(GATED);
    assertThat(problem.batch()).isEqualTo(2);
    assertThat(problem.tokens()).isEqualTo(10);
    assertThat(problem.queryHeads()).isEqualTo(6);
    assertThat(problem.keyHeads()).isEqualTo(3);
    assertThat(problem.scale()).isEqualTo(0.5);
    assertThat(problem.chunked()).isTrue();
    assertThat(problem.stream()).isEqualTo(stream.handle());
    assertThat(problem.dY().address()).isEqualTo(f.dY.address());
    assertThat(problem.dQ().address()).isEqualTo(gradients.dQ().address());
    assertThat(problem.dK().address()).isEqualTo(gradients.dK().address());
    assertThat(problem.dV().address()).isEqualTo(gradients.dV().address());
    assertThat(problem.dLogG().address()).isEqualTo(gradients.dLogG().orElseThrow().address());
    assertThat(problem.dK().tokenStride()).isEqualTo(3 * 16);
    assertThat(problem.initialState()).isNull();
    assertThat(problem.saved()).isNull();
    assertThat(problem.packed()).isNull();
  }

  @Test
  void statesAndTheirGradientsAreHandedOn() {
    State initial = f.gated.newState(2, 3);
    State last = f.gated.newState(2, 3);
    BackwardOptions options = DEFAULTS.initialState(initial).dFinalState(last);
    Gradients gradients = backward(options);
    State dInitial = gradients.dInitialState().orElseThrow();
    BackwardProblem problem = f.only(BackwardProblem.class);
    assertThat(problem.initialState().sums().address()).isEqualTo(initial.sums().address());
    assertThat(problem.dInitialState().sums().address()).isEqualTo(dInitial.sums().address());
    assertThat(problem.dInitialState().window()).isNull();
    assertThat(problem.dFinalState().keySums().address())
        .isEqualTo(last.keySums().orElseThrow().address());
    f.gated.backwardInto(
        f.gated.newGradients(f.q, f.k, options), f.q, f.k, f.v, f.logG, f.dY, options);
    assertThat(f.backend.calls).hasSize(2);
  }

  @Test
  void gradientsCanBeViewsOfOneTensor() {
    Tensor fused = f.heads(2, 10, 12);
    Gradients gradients =
        Gradients.of(
            fused.slice(2, 0, 6),
            fused.slice(2, 6, 9),
            fused.slice(2, 9, 12),
            f.device.zeros(DType.FP32, 2, 3, 10).permute(0, 2, 1),
            null);
    f.gated.backwardInto(gradients, f.q, f.k, f.v, f.logG, f.dY, DEFAULTS);
    BackwardProblem problem = f.only(BackwardProblem.class);
    assertThat(problem.dK().offset()).isEqualTo(6 * 16);
    assertThat(problem.dV().tokenStride()).isEqualTo(12 * 16);
    assertThat(problem.dLogG().headStride()).isEqualTo(10);
  }

  @Test
  void wrongGradientsAreRefusedByName() {
    Tensor dQ = f.heads(2, 10, 6);
    Tensor dK = f.heads(2, 10, 3);
    Tensor dV = f.heads(2, 10, 3);
    Tensor dLogG = f.device.zeros(DType.FP32, 2, 10, 3);
    intoRefused("dQ of shape [2, 10, 3, 16]", Gradients.of(dK, dK, dV, dLogG, null));
    intoRefused("dK of shape [2, 10, 6, 16]", Gradients.of(dQ, dQ, dV, dLogG, null));
    intoRefused(
        "dV of dtype FP32",
        Gradients.of(dQ, dK, f.device.zeros(DType.FP32, 2, 10, 3, 16), dLogG, null));
    intoRefused("without dLogG for a gated operator", Gradients.of(dQ, dK, dV, null, null));
    intoRefused("dLogG of shape", Gradients.of(dQ, dK, dV, dLogG.slice(1, 0, 9), null));
    intoRefused("dK of shape [2, 10, 3, 16] overlaps k", Gradients.of(dQ, f.k, dV, dLogG, null));
    intoRefused("dQ of shape [2, 10, 6, 16] overlaps dY", Gradients.of(f.dY, dK, dV, dLogG, null));
    intoRefused("dLogG of shape [2, 10, 3] overlaps logG", Gradients.of(dQ, dK, dV, f.logG, null));
    intoRefused(
        "dV of shape [2, 10, 3, 16] overlaps dK of shape [2, 10, 3, 16]; both are written",
        Gradients.of(dQ, dK, dK, dLogG, null));
    intoRefused(
        "repeats elements",
        Gradients.of(
            f.device.borrow(DType.BF16, 4096, new long[] {2, 10, 6, 16}, new long[] {0, 0, 0, 1}),
            dK,
            dV,
            dLogG,
            null));
    State state = f.gated.newState(2, 3);
    Gradients withState = Gradients.of(dQ, dK, dV, dLogG, state);
    intoRefused("with dInitialState for a call without", withState);
    Gradients without = Gradients.of(dQ, dK, dV, dLogG, null);
    refused(
        "without dInitialState for a call with",
        () -> into(without, DEFAULTS.initialState(f.gated.newState(2, 3))));
    refused(
        "dInitialState of shape [2, 3, 192, 16] overlaps initialState",
        () -> into(withState, DEFAULTS.initialState(state)));
    refused(
        "overlaps dFinalState",
        () -> into(withState, DEFAULTS.initialState(f.gated.newState(2, 3)).dFinalState(state)));
    assertThat(f.backend.calls).isEmpty();
  }

  private void into(Gradients gradients, BackwardOptions options) {
    f.gated.backwardInto(gradients, f.q, f.k, f.v, f.logG, f.dY, options);
  }

  private void intoRefused(String part, Gradients gradients) {
    refused(part, () -> into(gradients, DEFAULTS));
  }

  private void refused(String part, Executable call) {
    IllegalArgumentException failure = assertThrows(IllegalArgumentException.class, call);
    assertThat(failure).hasMessageThat().contains(part);
  }

  @Test
  void wrongInputsAreRefused() {
    refused(
        "dY of shape [2, 10, 3, 16]; expected: [2, 10, 6, 16]",
        () -> f.gated.backward(f.q, f.k, f.v, f.logG, f.k, DEFAULTS));
    refused(
        "v of shape [2, 1, 3, 16]", () -> f.gated.backward(f.q, f.k, f.v1, f.logG, f.dY, DEFAULTS));
    refused("logG = null", () -> f.gated.backward(f.q, f.k, f.v, null, f.dY, DEFAULTS));
    refused(
        "dFinalState of degree 3", () -> backward(DEFAULTS.dFinalState(f.ungated.newState(2, 3))));
    refused(
        "initialState of degree 2, headDim 16, normalized, batch 1",
        () -> backward(DEFAULTS.initialState(f.gated.newState(1, 3))));
    State used = f.gated.newState(2, 3);
    f.gated.decode(used, f.q1, f.k1, f.v1, f.logG1, ServeOptions.defaults());
    refused(
        "dFinalState has been used for prefill or decode",
        () -> backward(DEFAULTS.dFinalState(used)));
    try (OperatorFixture other = new OperatorFixture(true)) {
      refused(
          "dY belongs to another",
          () -> f.gated.backward(f.q, f.k, f.v, f.logG, other.dY, DEFAULTS));
      refused(
          "saved belongs to another",
          () -> backward(DEFAULTS.saved(other.gated.newSavedForward(2, 10, 6))));
    }
    f.dY.close();
    assertThrows(IllegalStateException.class, () -> backward(DEFAULTS));
    f.gated.close();
    assertThrows(IllegalStateException.class, () -> f.gated.newGradients(f.q, f.k, DEFAULTS));
    assertThat(f.backend.calls).hasSize(1);
  }

  @Test
  void whatForwardSavedReachesBackward() {
    SavedForward saved = f.gated.newSavedForward(2, 10, 6);
    assertThat(saved.bytes()).isEqualTo(4L * 2 * 10 * 6 * 17);
    refused("not filled yet", () -> backward(DEFAULTS.saved(saved)));
    f.gated.forward(f.q, f.k, f.v, f.logG, ForwardOptions.defaults().save(saved));
    backward(DEFAULTS.saved(saved));
    ForwardProblem forward = f.only(ForwardProblem.class);
    BackwardProblem problem = f.only(BackwardProblem.class);
    assertThat(forward.saved().outputs().bytes()).isEqualTo(4L * 2 * 10 * 6 * 16);
    assertThat(forward.saved().weightSums().bytes()).isEqualTo(4L * 2 * 10 * 6);
    assertThat(problem.saved()).isEqualTo(forward.saved());
  }

  @Test
  void savedOfAnotherCallIsRefused() {
    ForwardOptions options = ForwardOptions.defaults();
    refused(
        "needed: 20 tokens, 6 query heads",
        () ->
            f.gated.forward(f.q, f.k, f.v, f.logG, options.save(f.gated.newSavedForward(2, 9, 6))));
    refused(
        "needed: 20 tokens, 6 query heads",
        () ->
            f.gated.forward(
                f.q, f.k, f.v, f.logG, options.save(f.gated.newSavedForward(2, 10, 3))));
    refused(
        "needed: one of this operator's",
        () ->
            f.gated.forward(
                f.q, f.k, f.v, f.logG, options.save(f.ungated.newSavedForward(2, 10, 6))));
    SavedForward saved = f.gated.newSavedForward(1, 20, 6);
    f.gated.forward(
        f.q.reshape(1, 20, 6, 16),
        f.k.reshape(1, 20, 3, 16),
        f.v.reshape(1, 20, 3, 16),
        f.logG.reshape(1, 20, 3),
        options.save(saved));
    refused(
        "filled by a forward call of batch 1, tokens 20, query heads 6, key/value heads 3; this"
            + " backward call is of batch 2, tokens 10",
        () -> backward(DEFAULTS.saved(saved)));
    State initial = f.gated.newState(2, 3);
    f.gated.forward(f.q, f.k, f.v, f.logG, options.save(saved).initialState(initial));
    refused(
        "with an initial state; this backward call is one without",
        () -> backward(DEFAULTS.saved(saved)));
    backward(DEFAULTS.saved(saved).initialState(initial));
    f.backend.failing = true;
    assertThrows(
        DeviceException.class,
        () -> f.gated.forward(f.q, f.k, f.v, f.logG, options.save(saved).initialState(initial)));
    refused("not filled yet", () -> backward(DEFAULTS.saved(saved).initialState(initial)));
    saved.close();
    assertThrows(
        IllegalStateException.class,
        () -> f.gated.forward(f.q, f.k, f.v, f.logG, options.save(saved)));
  }

  @Test
  void anOperatorWithoutNormalisationSavesNothing() {
    int blocks = f.backend.openBlocks.get();
    SavedForward saved = f.ungated.newSavedForward(1, 4, 1);
    assertThat(saved.bytes()).isEqualTo(0);
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
    Tensor plain = f.device.zeros(DType.FP32, 1, 4, 1, 16);
    f.ungated.forward(plain, plain, plain, null, ForwardOptions.defaults().save(saved));
    assertThat(f.only(ForwardProblem.class).saved()).isNull();
    Gradients gradients =
        f.ungated.backward(plain, plain, plain, null, plain, DEFAULTS.saved(saved));
    assertThat(gradients.dLogG()).isEmpty();
    assertThat(f.only(BackwardProblem.class).dLogG()).isNull();
    assertThat(f.only(BackwardProblem.class).saved()).isNull();
  }

  @Test
  void rawAddressesAreTakenAsContiguousTensors() {
    State initial = f.gated.newState(2, 3);
    State dInitial = f.gated.newState(2, 3);
    BackwardOptions options = DEFAULTS.initialState(initial);
    long m = 1 << 20;
    f.gated.backward(
        m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m, 7 * m, 8 * m, 9 * m, dInitial, 2, 7, 6, 3, options);
    BackwardProblem problem = f.only(BackwardProblem.class);
    assertThat(problem.q().address()).isEqualTo(m);
    assertThat(problem.k().address()).isEqualTo(2 * m);
    assertThat(problem.v().address()).isEqualTo(3 * m);
    assertThat(problem.logG().address()).isEqualTo(4 * m);
    assertThat(problem.dY().address()).isEqualTo(5 * m);
    assertThat(problem.dQ().address()).isEqualTo(6 * m);
    assertThat(problem.dK().address()).isEqualTo(7 * m);
    assertThat(problem.dV().address()).isEqualTo(8 * m);
    assertThat(problem.dLogG().address()).isEqualTo(9 * m);
    assertThat(problem.dV().batchStride()).isEqualTo(7 * 3 * 16);
    assertThat(problem.dInitialState().sums().address()).isEqualTo(dInitial.sums().address());
    refused(
        "without dInitialState",
        () ->
            f.gated.backward(
                m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m, 7 * m, 8 * m, 9 * m, null, 2, 7, 6, 3,
                options));
    refused(
        "dK of shape [2, 7, 3, 16] overlaps dQ",
        () ->
            f.gated.backward(
                m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m, 6 * m, 8 * m, 9 * m, null, 2, 7, 6, 3,
                DEFAULTS));
    try (OperatorFixture cpu = new OperatorFixture(false)) {
      assertThrows(
          UnsupportedOperationException.class,
          () ->
              cpu.gated.backward(
                  m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m, 7 * m, 8 * m, 9 * m, null, 2, 7, 6, 3,
                  DEFAULTS));
    }
  }

  @Test
  void closingGradientsFreesAllOfThem() {
    int blocks = f.backend.openBlocks.get();
    Gradients gradients = backward(DEFAULTS.initialState(f.state));
    // dQ, dK, dV, dLogG, and S and z of the state.
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks + 6);
    gradients.close();
    assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
  }
}
