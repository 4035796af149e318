package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.TensorView;

final class PowerAttentionOperatorTest {
  private static final KernelSpec GATED = new KernelSpec(2, 32, 64, DType.BF16, true, true);
  private static final KernelSpec UNGATED = new KernelSpec(3, 32, 64, DType.FP32, false, false);
  private static final ForwardOptions DEFAULTS = ForwardOptions.defaults();

  private final FakeBackend backend = new FakeBackend(true);
  private final Accelerator device = new Accelerator(backend);
  private final PowerAttentionOperator gated = load(device, GATED);
  private final PowerAttentionOperator ungated = load(device, UNGATED);
  private final Tensor q = device.zeros(DType.BF16, 2, 10, 6, 32);
  private final Tensor k = device.zeros(DType.BF16, 2, 10, 3, 32);
  private final Tensor v = device.zeros(DType.BF16, 2, 10, 3, 32);
  private final Tensor logG = device.zeros(DType.FP32, 2, 10, 3);

  private static PowerAttentionOperator load(Accelerator device, KernelSpec spec) {
    return PowerAttentionOperator.load(
        device,
        new KernelProgram(
            "Layer", spec, PowerAttentionOperatorTest.class, List.of(), List.of(), List.of()));
  }

  @AfterEach
  void close() {
    device.close();
  }

  @Test
  void aCallReachesTheBackendWithItsSizesAndPlaces() {
    Tensor y = gated.forward(q, k, v, logG, DEFAULTS.form(Form.CHUNKED).scale(0.5));
    assertThat(y.shape()).isEqualTo(new long[] {2, 10, 6, 32});
    assertThat(y.dtype()).isEqualTo(DType.BF16);
    assertThat(y.isContiguous()).isTrue();
    ForwardProblem problem = onlyProblem();
    assertThat(problem.batch()).isEqualTo(2);
    assertThat(problem.tokens()).isEqualTo(10);
    assertThat(problem.queryHeads()).isEqualTo(6);
    assertThat(problem.keyHeads()).isEqualTo(3);
    assertThat(problem.scale()).isEqualTo(0.5);
    assertThat(problem.chunked()).isTrue();
    assertThat(problem.stream()).isEqualTo(0);
    assertThat(problem.q().address()).isEqualTo(q.address());
    assertThat(problem.q().batchStride()).isEqualTo(10 * 6 * 32);
    assertThat(problem.q().tokenStride()).isEqualTo(6 * 32);
    assertThat(problem.q().headStride()).isEqualTo(32);
    assertThat(problem.logG().tokenStride()).isEqualTo(3);
    assertThat(problem.logG().headStride()).isEqualTo(1);
    assertThat(problem.y().address()).isEqualTo(y.address());
    assertThat(problem.initialState()).isNull();
  }

  @Test
  void stridedAndBroadcastInputsKeepTheirStrides() {
    Tensor fused = device.zeros(DType.BF16, 2, 10, 9, 2, 32);
    Tensor keys = fused.select(3, 1).slice(2, 0, 3);
    Tensor values =
        device.borrow(DType.BF16, 4096, new long[] {2, 10, 3, 32}, new long[] {0, 0, 0, 1});
    Tensor gates = device.zeros(DType.FP32, 2, 3, 10).permute(0, 2, 1);
    Tensor y = device.zeros(DType.BF16, 2, 10, 6, 2, 32).select(3, 0);
    gated.forwardInto(y, q, keys, values, gates, DEFAULTS);
    ForwardProblem problem = onlyProblem();
    TensorView key = problem.k();
    assertThat(key.offset()).isEqualTo(32);
    assertThat(key.headStride()).isEqualTo(64);
    assertThat(key.tokenStride()).isEqualTo(9 * 64);
    assertThat(problem.v().tokenStride()).isEqualTo(0);
    assertThat(problem.logG().tokenStride()).isEqualTo(1);
    assertThat(problem.logG().headStride()).isEqualTo(10);
    assertThat(problem.y().headStride()).isEqualTo(64);
  }

  @Test
  void theAutomaticFormSwitchesAtTheCrossover() {
    int crossover = (int) UNGATED.crossoverTokens();
    for (int tokens : new int[] {crossover - 1, crossover}) {
      ungated.forward(4096, 4096, 4096, 0, 1 << 30, 1, tokens, 1, 1, DEFAULTS);
    }
    assertThat(backend.problems.stream().map(ForwardProblem::chunked))
        .containsExactly(false, true)
        .inOrder();
  }

  @Test
  void rawAddressesAreTakenAsContiguousTensors() {
    gated.forward(1 << 20, 2 << 20, 3 << 20, 4 << 20, 5 << 20, 2, 7, 4, 2, DEFAULTS);
    ForwardProblem problem = onlyProblem();
    assertThat(problem.k().address()).isEqualTo(2 << 20);
    assertThat(problem.k().batchStride()).isEqualTo(7 * 2 * 32);
    assertThat(problem.logG().address()).isEqualTo(4 << 20);
    assertThat(problem.y().tokenStride()).isEqualTo(4 * 32);
  }

  @Test
  void statesAndStreamAreHandedOn() {
    State first = gated.newState(2, 3);
    State last = gated.newState(2, 3);
    Stream stream = device.newStream();
    gated.forward(q, k, v, logG, DEFAULTS.initialState(first).finalState(last).stream(stream));
    ForwardProblem problem = onlyProblem();
    assertThat(problem.initialState().sums().address()).isEqualTo(first.sums().address());
    assertThat(problem.finalState().keySums().address())
        .isEqualTo(last.keySums().orElseThrow().address());
    assertThat(problem.stream()).isEqualTo(stream.handle());
  }

  @Test
  void aStateHasTheSpecsShapeAndCanBeReset() {
    State state = gated.newState(2, 3);
    assertThat(state.sums().shape()).isEqualTo(new long[] {2, 3, 640, 32});
    assertThat(state.keySums().orElseThrow().shape()).isEqualTo(new long[] {2, 3, 640});
    assertThat(state.bytes()).isEqualTo(4L * 2 * 3 * 640 * 33);
    float[] ones = new float[2 * 3 * 640];
    Arrays.fill(ones, 1);
    state.keySums().orElseThrow().copyFrom(ones);
    state.reset();
    assertThat(state.keySums().orElseThrow().toFloats()).isEqualTo(new float[ones.length]);
    assertThat(ungated.newState(1, 1).keySums()).isEmpty();
  }

  @Test
  void wrongShapesAreRefusedByNameWithWhatIsExpected() {
    refused(
        "v of shape [2, 9, 3, 32]; expected: [2, 10, 3, 32]",
        q,
        k,
        device.zeros(DType.BF16, 2, 9, 3, 32),
        logG);
    refused(
        "k of shape [1, 10, 3, 32]; expected: [2, 10, 3, 32]",
        q,
        device.zeros(DType.BF16, 1, 10, 3, 32),
        v,
        logG);
    refused(
        "q of shape [2, 10, 6, 16]; expected: [batch, tokens, query heads, 32]",
        q.slice(3, 0, 16),
        k,
        v,
        logG);
    refused("q of shape [10, 6, 32]", q.select(0, 0), k, v, logG);
    refused(
        "logG of shape [2, 10, 6]; expected: [2, 10, 3]",
        q,
        k,
        v,
        device.zeros(DType.FP32, 2, 10, 6));
    refused("queryHeads = 5 with keyHeads = 3", q.slice(2, 0, 5), k, v, logG);
    refused(
        "stride of 1 in the last dimension",
        device.zeros(DType.BF16, 2, 10, 32, 6).permute(0, 1, 3, 2),
        k,
        v,
        logG);
    refused(
        "batch * queryHeads = 65538; allowed: up to 65535",
        broadcast(32_769, 1, 2),
        broadcast(32_769, 1, 1),
        broadcast(32_769, 1, 1),
        logG);
    refused("tokens of q = 2147483648", broadcast(1, 1L << 31, 1), k, v, logG);
  }

  private Tensor broadcast(long batch, long tokens, long heads) {
    return device.borrow(
        DType.BF16, 4096, new long[] {batch, tokens, heads, 32}, new long[] {0, 0, 0, 1});
  }

  @Test
  void wrongKindsAreRefused() {
    refused("q of dtype FP32; expected: BF16", device.zeros(DType.FP32, 2, 10, 6, 32), k, v, logG);
    refused("logG of dtype BF16; expected: FP32", q, k, v, device.zeros(DType.BF16, 2, 10, 3));
    refused("logG = null for a gated operator", q, k, v, null);
    Tensor plain = device.zeros(DType.FP32, 1, 4, 1, 32);
    Tensor gates = device.zeros(DType.FP32, 1, 4, 1);
    IllegalArgumentException failure =
        assertThrows(
            IllegalArgumentException.class,
            () -> ungated.forward(plain, plain, plain, gates, DEFAULTS));
    assertThat(failure).hasMessageThat().contains("logG given for an operator without gates");
    assertThrows(NullPointerException.class, () -> gated.forward(q, null, v, logG, DEFAULTS));
    assertThrows(NullPointerException.class, () -> gated.forward(q, k, v, logG, null));
  }

  @Test
  void whatBelongsToAnotherAcceleratorIsRefused() {
    try (Accelerator other = new Accelerator(new FakeBackend(true))) {
      refused(
          "q belongs to another accelerator", other.zeros(DType.BF16, 2, 10, 6, 32), k, v, logG);
      Stream stream = other.newStream();
      refusedWith("stream belongs to another accelerator", DEFAULTS.stream(stream));
      State state = load(other, GATED).newState(2, 3);
      refusedWith("initialState belongs to another", DEFAULTS.initialState(state));
    }
  }

  @Test
  void aStateOfOtherSizesIsRefused() {
    refusedWith("batch 1, key/value heads 3; needed", DEFAULTS.finalState(gated.newState(1, 3)));
    refusedWith("key/value heads 2; needed", DEFAULTS.finalState(gated.newState(2, 2)));
    refusedWith("degree 3", DEFAULTS.initialState(ungated.newState(2, 3)));
    KernelSpec otherChunk = new KernelSpec(2, 32, 128, DType.FP16, false, true);
    gated.forward(q, k, v, logG, DEFAULTS.initialState(load(device, otherChunk).newState(2, 3)));
  }

  @Test
  void anOutputThatSharesMemoryIsRefused() {
    Tensor fused = device.zeros(DType.BF16, 2, 10, 2, 6, 32);
    Tensor queries = fused.select(2, 0);
    outputRefused(
        "y of shape [2, 10, 6, 32] with strides [3840, 384, 32, 1] overlaps q", queries, queries);
    gated.forwardInto(fused.select(2, 1), queries, k, v, logG, DEFAULTS);
    outputRefused("repeats elements", broadcast(2, 10, 6), q);
    outputRefused("y of shape [2, 10, 3, 32]; expected: [2, 10, 6, 32]", k, q);
    outputRefused("y of dtype FP32", device.zeros(DType.FP32, 2, 10, 6, 32), q);
  }

  private void outputRefused(String part, Tensor y, Tensor queries) {
    IllegalArgumentException failure =
        assertThrows(
            IllegalArgumentException.class,
            () -> gated.forwardInto(y, queries, k, v, logG, DEFAULTS));
    assertThat(failure).hasMessageThat().contains(part);
  }

  @Test
  void anOutputThatSharesMemoryWithAStateIsRefused() {
    State state = ungated.newState(1, 2);
    Tensor y = state.sums().reshape(2 * 7680 * 32).slice(0, 0, 64).reshape(1, 2, 1, 32);
    Tensor plain = device.zeros(DType.FP32, 1, 2, 1, 32);
    State fitting = ungated.newState(1, 1);
    Tensor inside = fitting.sums().reshape(7680 * 32).slice(0, 0, 64).reshape(1, 2, 1, 32);
    ungated.forwardInto(y, plain, plain, plain, null, DEFAULTS.finalState(fitting));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            ungated.forwardInto(inside, plain, plain, plain, null, DEFAULTS.initialState(fitting)));
    assertThrows(
        IllegalArgumentException.class,
        () -> ungated.forward(plain, inside, plain, null, DEFAULTS.finalState(fitting)));
    // An input may lie in a state that is only read.
    ungated.forward(plain, inside, plain, null, DEFAULTS.initialState(fitting));
  }

  @Test
  void aRefusedCallAllocatesAndLaunchesNothing() {
    int blocks = backend.openBlocks.get();
    refused("expected", q, k, v.slice(1, 0, 5), logG);
    assertThat(backend.openBlocks.get()).isEqualTo(blocks);
    assertThat(backend.problems).isEmpty();
  }

  @Test
  void rawAddressesAreChecked() {
    assertThrows(
        IllegalArgumentException.class,
        () -> gated.forward(0, 4096, 4096, 4096, 1 << 20, 1, 1, 1, 1, DEFAULTS));
    assertThrows(
        IllegalArgumentException.class,
        () -> gated.forward(4097, 4096, 4096, 4096, 1 << 20, 1, 1, 1, 1, DEFAULTS));
    assertThrows(
        IllegalArgumentException.class,
        () -> gated.forward(4096, 4096, 4096, 0, 1 << 20, 1, 1, 1, 1, DEFAULTS));
    assertThrows(
        IllegalArgumentException.class,
        () -> gated.forward(4096, 4096, 4096, 4096, 1 << 20, 1, 0, 1, 1, DEFAULTS));
    // y begins within q's last token.
    assertThrows(
        IllegalArgumentException.class,
        () -> gated.forward(4096, 8192, 8192, 8192, 4096 + 62, 1, 1, 1, 1, DEFAULTS));
    assertThat(backend.problems).isEmpty();
    try (Accelerator cpu = new Accelerator(new FakeBackend(false))) {
      PowerAttentionOperator onCpu = load(cpu, GATED);
      assertThrows(
          UnsupportedOperationException.class,
          () -> onCpu.forward(4096, 4096, 4096, 4096, 1 << 20, 1, 1, 1, 1, DEFAULTS));
    }
  }

  @Test
  void closedThingsAreRefused() {
    State state = gated.newState(2, 3);
    state.close();
    assertThrows(
        IllegalStateException.class,
        () -> gated.forward(q, k, v, logG, DEFAULTS.finalState(state)));
    v.close();
    assertThrows(IllegalStateException.class, () -> gated.forward(q, k, v, logG, DEFAULTS));
    gated.close();
    assertThrows(IllegalStateException.class, () -> gated.newState(1, 1));
    assertThat(backend.openPrograms).isEqualTo(1);
  }

  private ForwardProblem onlyProblem() {
    assertThat(backend.problems).hasSize(1);
    return backend.problems.get(0);
  }

  private void refused(String part, Tensor a, Tensor b, Tensor c, Tensor gates) {
    IllegalArgumentException failure =
        assertThrows(IllegalArgumentException.class, () -> gated.forward(a, b, c, gates, DEFAULTS));
    assertThat(failure).hasMessageThat().contains(part);
  }

  private void refusedWith(String part, ForwardOptions options) {
    IllegalArgumentException failure =
        assertThrows(IllegalArgumentException.class, () -> gated.forward(q, k, v, logG, options));
    assertThat(failure).hasMessageThat().contains(part);
  }
}
