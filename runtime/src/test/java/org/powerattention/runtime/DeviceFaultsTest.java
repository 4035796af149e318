package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;

/** Every call of the driver and the compiler fails once, in the CUDA backend over a fake driver. */
final class DeviceFaultsTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);
  private static final String DEVICE = "CUDA device 0 (Fake GPU, sm_90)";

  /** Whose failure is not reported: it would hide another one or change nothing for the caller. */
  private static final Set<String> UNREPORTED =
      Set.of("cuCtxPopCurrent", "cuGraphDestroy", "cuMemGetInfo");

  private static final Set<String> ENDS =
      Set.of(
          "cuDevicePrimaryCtxRelease",
          "cuMemFree",
          "cuMemFreeAsync",
          "cuStreamDestroy",
          "cuGraphDestroy",
          "cuGraphExecDestroy",
          "cuModuleUnload");

  private final FakeCuda cuda = new FakeCuda();

  /** Logger of the library; its errors are expected here and would fill the test's output. */
  private final Logger logger = Logger.getLogger("org.powerattention");

  @BeforeEach
  void silence() {
    logger.setLevel(Level.OFF);
  }

  @AfterEach
  void restore() {
    logger.setLevel(null);
  }

  /** What a program does with a device. */
  private interface Scenario {
    void run(FakeCuda cuda);
  }

  private static final List<Scenario> SCENARIOS =
      List.of(DeviceFaultsTest::compute, DeviceFaultsTest::copy);

  /** Copies from and to the host, each time with a large buffer, hence by themselves. */
  private static void copy(FakeCuda cuda) {
    try (Accelerator device = new Accelerator(cuda.open());
        Tensor tensor = device.tensor(DType.FP32, new float[2], 2)) {
      tensor.toFloats();
    }
  }

  /** One of everything else that calls the driver. */
  private static void compute(FakeCuda cuda) {
    try (Accelerator device = new Accelerator(cuda.open());
        PowerAttentionOperator operator = load(device);
        Stream stream = device.newStream();
        Tensor q = device.zeros(DType.BF16, 2, 100, 4, 16);
        Tensor k = device.zeros(DType.BF16, 2, 100, 2, 16);
        Tensor logG = device.zeros(DType.FP32, 2, 100, 2);
        State state = operator.newState(2, 2);
        Tensor onStream =
            operator.forward(q, k, k, logG, ForwardOptions.defaults().stream(stream));
        Tensor y = operator.forward(q, k, k, logG, ForwardOptions.defaults().form(Form.CHUNKED));
        Gradients gradients = operator.backward(q, k, k, logG, y, BackwardOptions.defaults())) {
      operator.prefill(state, q, k, k, logG, ServeOptions.defaults()).close();
      Tensor q1 = q.slice(1, 0, 1);
      Tensor k1 = k.slice(1, 0, 1);
      Tensor g1 = logG.slice(1, 0, 1);
      try (Tensor y1 = operator.decode(state, q1, k1, k1, g1, ServeOptions.defaults());
          DecodeStep step =
              operator.captureDecode(y1, state, q1, k1, k1, g1, ServeOptions.defaults());
          State copy = state.copy()) {
        step.launch();
        state.reset(1);
        copy.replace(0, state, 1);
      }
      stream.synchronize();
    }
  }

  private static PowerAttentionOperator load(Accelerator device) {
    return PowerAttentionOperator.load(device, FakeCuda.program("Layer", SPEC));
  }

  @Test
  void withoutAFaultNothingIsLeftOpen() {
    SCENARIOS.forEach(scenario -> scenario.run(cuda));
    assertThat(cuda.open).isEmpty();
    assertThat(cuda.called()).containsAtLeastElementsIn(ENDS);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 400}) // out of memory, invalid handle
  void aFailedCallIsNamedAndNothingLeaks(int result) {
    SCENARIOS.forEach(scenario -> failEachCall(scenario, result));
  }

  private static void failEachCall(Scenario scenario, int result) {
    FakeCuda cuda = new FakeCuda();
    scenario.run(cuda);
    for (int n = 0; n < cuda.calls.size(); n++) {
      FakeCuda faulty = faulty(n, result);
      PowerAttentionException failure = failureOf(scenario, faulty);
      String call = cuda.calls.get(n);
      if (failure == null) {
        // Memory that was short is looked for once more.
        assertWithMessage("call %s, %s", n, call)
            .that(
                UNREPORTED.contains(call)
                    || call.equals("cuStreamDestroy")
                    || (result == 2 && call.startsWith("cuMemAlloc")))
            .isTrue();
      } else {
        assertWithMessage("call %s", n).that(failure).hasMessageThat().contains(call);
        assertThat(failure).hasMessageThat().containsMatch("CUDA_ERROR_[A-Z_]+ \\(" + result);
        assertThat(failure).hasMessageThat().contains("; "); // the remedy
        if (n > cuda.calls.indexOf("cuCtxPushCurrent")) {
          assertThat(failure).hasMessageThat().contains(DEVICE);
        }
      }
      if (!ENDS.contains(call)) {
        // A context that cannot be entered cannot be cleaned up by calls that enter it.
        boolean entered = !call.startsWith("cuCtx");
        assertWithMessage("after call %s, %s", n, call)
            .that(entered ? faulty.open.values() : List.of())
            .isEmpty();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {700, 999}) // illegal address, device lost
  void afterALossTheDriverIsLeftAloneAndClosingIsQuiet(int result) {
    SCENARIOS.forEach(scenario -> loseAtEachCall(scenario, result));
  }

  private static void loseAtEachCall(Scenario scenario, int result) {
    FakeCuda cuda = new FakeCuda();
    scenario.run(cuda);
    int first = cuda.calls.indexOf("cuCtxPushCurrent");
    for (int n = first; n < cuda.calls.size(); n++) {
      String call = cuda.calls.get(n);
      FakeCuda faulty = faulty(n, result);
      PowerAttentionException failure = failureOf(scenario, faulty);
      if (failure == null) {
        assertThat(UNREPORTED.contains(call) || call.equals("cuStreamDestroy")).isTrue();
        continue;
      }
      assertThat(failure).hasMessageThat().contains(call);
      for (Throwable second : failure.getSuppressed()) {
        assertWithMessage("call %s, %s", n, call).that(second).isNull();
      }
      Set<String> after = Set.copyOf(faulty.calls.subList(n + 1, faulty.calls.size()));
      assertWithMessage("after call %s, %s", n, call)
          .that(
              Set.of(
                      "cuCtxPopCurrent",
                      "cuDevicePrimaryCtxRelease",
                      "cuStreamEndCapture",
                      "cuStreamDestroy",
                      "cuGraphDestroy")
                  .containsAll(after))
          .isTrue();
    }
  }

  private static FakeCuda faulty(int call, int result) {
    FakeCuda faulty = new FakeCuda();
    faulty.failingCall = call;
    faulty.failingResult = result;
    return faulty;
  }

  private static PowerAttentionException failureOf(Scenario scenario, FakeCuda cuda) {
    try {
      scenario.run(cuda);
      return null;
    } catch (PowerAttentionException e) {
      return e;
    }
  }

  @Test
  void aLostDeviceSaysSoAtEveryUseUntilItIsClosed() {
    Accelerator device = new Accelerator(cuda.open());
    PowerAttentionOperator operator = load(device);
    Tensor q = device.zeros(DType.BF16, 1, 5, 1, 16);
    Tensor logG = device.zeros(DType.FP32, 1, 5, 1);
    assertThat(device.loss()).isEmpty();
    cuda.failures.put("cuLaunchKernel", 700);
    DeviceException first =
        assertThrows(
            DeviceException.class,
            () -> operator.forward(q, q, q, logG, ForwardOptions.defaults()));
    assertThat(first).hasMessageThat().contains("kernel gate_sum of Layer, KernelSpec[degree=2");
    assertThat(first).hasMessageThat().contains("compute-sanitizer");
    cuda.failures.clear();
    assertThat(device.loss()).hasValue(first);
    List<Runnable> uses =
        List.of(
            () -> operator.forward(q, q, q, logG, ForwardOptions.defaults()),
            q::toFloats,
            device::synchronize,
            () -> device.zeros(DType.FP32, 1),
            device::newStream);
    for (Runnable use : uses) {
      DeviceException later = assertThrows(DeviceException.class, use::run);
      assertThat(later).hasMessageThat().startsWith(DEVICE + " is lost to this process since");
      assertThat(later).hasCauseThat().isSameInstanceAs(first);
      assertThat(later.code()).isEqualTo(700);
    }
    q.close();
    operator.close();
    device.close();
    // The same process goes on with another accelerator.
    try (Accelerator cpu = Accelerator.cpu()) {
      assertThat(cpu.loss()).isEmpty();
      cpu.zeros(DType.FP32, 1).close();
    }
  }

  @Test
  void theLossOfOneDeviceLeavesAnotherAlone() {
    cuda.devices = 2;
    try (Accelerator lost = new Accelerator(cuda.open(0));
        Accelerator other = new Accelerator(cuda.open(1));
        PowerAttentionOperator onLost = load(lost);
        PowerAttentionOperator onOther = load(other)) {
      forward(lost, onLost);
      cuda.failures.put("cuLaunchKernel", 700);
      assertThrows(DeviceException.class, () -> forward(lost, onLost));
      cuda.failures.clear();
      assertThat(lost.loss()).isPresent();
      assertThat(other.loss()).isEmpty();
      int launches = launches();
      forward(other, onOther);
      assertThat(launches()).isGreaterThan(launches);
      assertThrows(DeviceException.class, () -> forward(lost, onLost));
    }
  }

  private static void forward(Accelerator device, PowerAttentionOperator operator) {
    try (Tensor x = device.zeros(DType.BF16, 1, 100, 1, 16);
        Tensor logG = device.zeros(DType.FP32, 1, 100, 1)) {
      operator.forward(x, x, x, logG, ForwardOptions.defaults()).close();
    }
  }

  private int launches() {
    return (int) cuda.calls.stream().filter(call -> call.equals("cuLaunchKernel")).count();
  }

  @Test
  void tooLittleMemorySaysHowMuchWasAskedForWhatForAndHowMuchThereIs() {
    try (Accelerator device = new Accelerator(cuda.open());
        PowerAttentionOperator operator = load(device);
        Tensor q = device.zeros(DType.BF16, 1, 5000, 1, 16);
        Tensor logG = device.zeros(DType.FP32, 1, 5000, 1);
        Tensor y = device.zeros(DType.BF16, 1, 5000, 1, 16)) {
      cuda.failures.put("cuMemAlloc", 2);
      DeviceException tensor =
          assertThrows(DeviceException.class, () -> device.zeros(DType.FP32, 1 << 20));
      assertThat(tensor)
          .hasMessageThat()
          .isEqualTo(
              "cuMemAlloc failed on "
                  + DEVICE
                  + ": CUDA_ERROR_OUT_OF_MEMORY (2); asked for"
                  + " 4.0 MiB for a tensor or a part of a state, free are 3.0 MiB of 81920.0 MiB;"
                  + " close tensors and states that are no longer needed, use a smaller batch or"
                  + " sequence, or free memory that other processes hold (see nvidia-smi)");
      DeviceException workspace =
          assertThrows(
              DeviceException.class,
              () ->
                  operator.forwardInto(
                      y, q, q, q, logG, ForwardOptions.defaults().form(Form.CHUNKED)));
      assertThat(workspace)
          .hasMessageThat()
          .containsMatch(
              "MiB for the workspace of a forward call \\(.*states at the chunks' starts ");
      // Want of memory is no loss.
      cuda.failures.clear();
      assertThat(device.loss()).isEmpty();
      operator.forwardInto(y, q, q, q, logG, ForwardOptions.defaults().form(Form.CHUNKED));
    }
  }

  @Test
  void aWorkspaceIsSplitIntoPartsThatAddUpToIt() {
    int tokens = 100_000;
    try (Accelerator device = new Accelerator(cuda.open());
        PowerAttentionOperator operator = load(device);
        Tensor q = device.zeros(DType.BF16, 4, tokens, 8, 16);
        Tensor k = device.zeros(DType.BF16, 4, tokens, 4, 16);
        Tensor logG = device.zeros(DType.FP32, 4, tokens, 4);
        SavedForward saved = operator.newSavedForward(4, tokens, 8);
        State state = operator.newState(4, 4);
        State other = operator.newState(4, 4);
        State served = operator.newState(4, 4);
        Tensor y = device.zeros(DType.BF16, 4, tokens, 8, 16);
        Gradients gradients =
            operator.backward(q, k, k, logG, y, BackwardOptions.defaults().initialState(state))) {
      ForwardOptions forward =
          ForwardOptions.defaults().form(Form.CHUNKED).initialState(state).finalState(other);
      Tensor q1 = q.slice(1, 0, 1);
      Tensor k1 = k.slice(1, 0, 1);
      operator.forwardInto(y, q, k, k, logG, forward.save(saved));
      // So that the state has its window.
      operator.decode(served, q1, k1, k1, logG.slice(1, 0, 1), ServeOptions.defaults()).close();
      BackwardOptions backward =
          BackwardOptions.defaults()
              .form(Form.CHUNKED)
              .saved(saved)
              .initialState(state)
              .dFinalState(other);
      List<Runnable> calls =
          List.of(
              () -> operator.forwardInto(y, q, k, k, logG, forward),
              () -> operator.backwardInto(gradients, q, k, k, logG, y, backward),
              () -> operator.prefillInto(y, served, q, k, k, logG, ServeOptions.defaults()));
      List<String> names = List.of("forward", "backward", "prefill");
      cuda.failures.put("cuMemAlloc", 2);
      // Which gives up the idle memory that the calls would find.
      assertThrows(DeviceException.class, () -> device.zeros(DType.FP32, 1 << 20));
      for (int i = 0; i < calls.size(); i++) {
        String message = assertThrows(DeviceException.class, calls.get(i)::run).getMessage();
        assertThat(message).contains("for the workspace of a " + names.get(i) + " call (");
        Matcher sizes = Pattern.compile("([0-9.]+) MiB(?=[,) ])").matcher(message);
        assertThat(sizes.find()).isTrue();
        double asked = Double.parseDouble(sizes.group(1));
        double parts = 0;
        int count = 0;
        String list = message.substring(message.indexOf("call ("), message.indexOf("), free"));
        sizes.reset(list + ")");
        for (; sizes.find(); count++) {
          parts += Double.parseDouble(sizes.group(1));
        }
        assertThat(count).isAtLeast(2);
        assertWithMessage(message).that(parts).isWithin(0.05 * (count + 1)).of(asked);
      }
    }
  }

  @Test
  void idleMemoryIsFreedBeforeAnAllocationFails() {
    try (Accelerator device = new Accelerator(cuda.open())) {
      device.zeros(DType.FP32, 100).close();
      int before = cuda.calls.size();
      cuda.failingCall = cuda.calls.size() + 1; // after cuCtxPushCurrent
      cuda.failingResult = 2;
      device.zeros(DType.FP32, 10_000).close();
      assertThat(cuda.calls.subList(before, cuda.calls.size()))
          .containsAtLeast("cuMemAlloc", "cuMemFree", "cuMemAlloc")
          .inOrder();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "nvrtcCreateProgram | 1 | NVRTC_ERROR_OUT_OF_MEMORY (1); free memory",
        "nvrtcCompileProgram | 5 | NVRTC_ERROR_INVALID_OPTION (5); this NVRTC does not know",
        "nvrtcCompileProgram | 6 | NVRTC_ERROR_COMPILATION (6); the library's kernels compile",
        "nvrtcCompileProgram | 7 | (7); libnvrtc-builtins of the same version must lie beside",
        "nvrtcGetCUBINSize | 4 | NVRTC_ERROR_INVALID_PROGRAM (4); try another NVRTC 12",
        "nvrtcGetCUBIN | 11 | NVRTC_ERROR_INTERNAL_ERROR (11); try another NVRTC 12",
      })
  void aFailedCompilationNamesCallSourceSpecAndDevice(String call, int result, String says) {
    cuda.failures.put(call, result);
    cuda.log = "fake.cu(7): error: identifier \"x\" is undefined";
    try (Accelerator device = new Accelerator(cuda.open())) {
      KernelSpec spec = new KernelSpec(2, 32, 64, DType.BF16, true, true);
      CompilationException failure =
          assertThrows(
              CompilationException.class,
              () -> PowerAttentionOperator.load(device, FakeCuda.program("Layer", spec)));
      assertThat(failure).hasMessageThat().startsWith(call + " failed on /org/");
      assertThat(failure).hasMessageThat().contains("fake.cu for sm_90)");
      assertThat(failure).hasMessageThat().contains("of Layer, KernelSpec[degree=2, headDim=32");
      assertThat(failure).hasMessageThat().contains("for " + DEVICE);
      assertThat(failure).hasMessageThat().contains(says);
      if (call.equals("nvrtcCompileProgram")) {
        assertThat(failure.log()).isEqualTo(cuda.log);
        assertThat(failure).hasMessageThat().contains("fake.cu(7): error");
      }
    }
    assertThat(cuda.open).isEmpty();
  }

  @Test
  void eachReasonWhyCudaCannotBeUsedHasItsWords() {
    List<String> messages = new ArrayList<>();
    cuda.driverVersion = 11_040;
    messages.add(unavailable(cuda));
    cuda.driverVersion = 12_000;
    cuda.capability = 75;
    messages.add(unavailable(cuda));
    cuda.capability = 90;
    cuda.devices = 0;
    messages.add(unavailable(cuda));
    cuda.devices = 1;
    for (int result : new int[] {100, 34, 802, 803, 804, 999}) {
      cuda.failures.put("cuInit", result);
      messages.add(unavailable(cuda));
    }
    cuda.failures.clear();
    cuda.failures.put("cuDeviceGetCount", 3);
    messages.add(unavailable(cuda));
    cuda.failures.clear();
    cuda.bindings = new CudaUnavailableException("no driver", null);
    messages.add(unavailable(cuda));
    List<String> words =
        List.of(
            "supports CUDA 11.4; needed: 12.0 or newer, that is driver 525",
            "CUDA device 0 (Fake GPU, sm_75) is too old: the kernels need compute capability 8.0",
            "sees no CUDA device",
            "sees no CUDA device",
            "cuInit returned CUDA_ERROR_STUB_LIBRARY (34); libcuda.so.1 is the toolkit's stub",
            "CUDA_ERROR_SYSTEM_NOT_READY (802); the system's NVIDIA services are not running",
            "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803); the driver's library and kernel module",
            "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804); a CUDA compatibility package",
            "CUDA_ERROR_UNKNOWN (999); the driver has lost the device",
            "cuDeviceGetCount failed on the driver: CUDA_ERROR_NOT_INITIALIZED (3)",
            "no driver");
    for (int n = 0; n < words.size(); n++) {
      assertThat(messages.get(n)).contains(words.get(n));
    }
    assertThat(cuda.open).isEmpty();
  }

  private static String unavailable(FakeCuda cuda) {
    return assertThrows(CudaUnavailableException.class, cuda::open).getMessage();
  }

  @Test
  void anNvrtcOfAnotherGenerationIsRefused() {
    cuda.nvrtcMajor = 11;
    try (Accelerator device = new Accelerator(cuda.open())) {
      CudaUnavailableException failure =
          assertThrows(CudaUnavailableException.class, () -> load(device));
      assertThat(failure)
          .hasMessageThat()
          .contains("/fake/libnvrtc.so.12 is NVRTC 11.0; needed: 12.0 or later");
    }
    assertThat(cuda.open).isEmpty();
  }

  @Test
  void aKernelThatTheSourceLacksAndADeviceWithTooLittleSharedMemoryAreNamed() {
    cuda.failures.put("cuModuleGetFunction", 500);
    try (Accelerator device = new Accelerator(cuda.open())) {
      assertThat(assertThrows(CompilationException.class, () -> load(device)))
          .hasMessageThat()
          .contains("has no kernel gate_sum; rebuild it");
    }
    assertThat(cuda.open).isEmpty();
  }
}
