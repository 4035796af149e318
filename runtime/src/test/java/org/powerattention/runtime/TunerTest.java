package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.Random;
import java.util.function.ToIntBiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;
import org.powerattention.runtime.spi.CallShape;

/** The fastest way is found, remembered, and taken by calls of its shape alone. */
class TunerTest {
  /** 16 chunks. */
  private static final int TOKENS = 1024;

  private static final CallShape SHAPE = new CallShape(1, TOKENS, 2, 1);
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);

  private final FakeCuda cuda = new FakeCuda();
  private Accelerator device;
  private PowerAttentionOperator operator;
  private Tensor q;
  private Tensor k;
  private Tensor logG;

  @BeforeEach
  void open() {
    device = new Accelerator(cuda.open());
    operator = load();
    q = device.zeros(DType.BF16, 1, TOKENS, 2, 16);
    k = device.zeros(DType.BF16, 1, TOKENS, 1, 16);
    logG = device.zeros(DType.FP32, 1, TOKENS, 1);
  }

  /** Loads the program, whose launches take the time that the test says. */
  private PowerAttentionOperator load() {
    return PowerAttentionOperator.load(
        device, FakeCuda.program("Layer", SPEC), null, () -> cuda.clock);
  }

  private Tuner tuner(boolean lazily, Duration limit) {
    return new Tuner(operator, lazily, limit, () -> cuda.clock);
  }

  @AfterEach
  void close() {
    device.close();
    assertThat(cuda.open).isEmpty();
  }

  /** A walk takes longer the further it is from so many segments. */
  private static ToIntBiFunction<String, Integer> fastestWith(int segments, int attention) {
    return (kernel, rows) ->
        switch (kernel) {
          case "state_pass" -> 4 * Math.abs(rows - segments);
          case "attention" -> attention;
          default -> 0;
        };
  }

  private void forward() {
    cuda.launched.clear();
    cuda.launchedRows.clear();
    operator.forward(q, k, k, logG, ForwardOptions.defaults()).close();
  }

  private int rowsOf(String kernel) {
    return cuda.launchedRows.get(cuda.launched.indexOf(kernel));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8})
  void callsAreCutIntoTheFastestSegments(int segments) {
    cuda.milliseconds = fastestWith(segments, 100);
    Tuning tuning = operator.tune(1, TOKENS, 2, 1);
    assertThat(tuning.form()).isEqualTo(Form.CHUNKED);
    assertThat(tuning.milliseconds()).isAtMost(tuning.untunedMilliseconds());
    forward();
    assertThat(rowsOf("state_pass")).isEqualTo(segments);
    cuda.launched.clear();
    cuda.launchedRows.clear();
    operator.backward(q, k, k, logG, q, BackwardOptions.defaults()).close();
    assertThat(rowsOf("state_gradient_walk")).isEqualTo(segments);
  }

  @Test
  void theFasterFormIsTakenByCallsThatLeaveItOpen() {
    assertThat(SPEC.crossoverTokens()).isAtMost(TOKENS);
    cuda.milliseconds = (kernel, rows) -> kernel.equals("state_pass") ? 5 : 0;
    assertThat(operator.tune(1, TOKENS, 2, 1).form()).isEqualTo(Form.ATTENTION);
    forward();
    assertThat(cuda.launched).contains("attention");
    operator.forward(q, k, k, logG, ForwardOptions.defaults().form(Form.CHUNKED)).close();
    assertThat(cuda.launched).contains("output_pass");
  }

  @Test
  void otherShapesAreAsTheCostModelHasThem() {
    int segments = segmentsByCostModel();
    cuda.milliseconds = fastestWith(segments == 1 ? 2 : 1, 100);
    Tuning unused = operator.tune(2, TOKENS, 2, 1);
    forward();
    assertThat(rowsOf("state_pass")).isEqualTo(segments);
  }

  private int segmentsByCostModel() {
    forward();
    return rowsOf("state_pass");
  }

  @Test
  void aShapeIsMeasuredOnce() {
    cuda.milliseconds = fastestWith(2, 100);
    Tuning first = operator.tune(1, TOKENS, 2, 1);
    cuda.launched.clear();
    assertThat(operator.tune(1, TOKENS, 2, 1)).isEqualTo(first);
    try (PowerAttentionOperator another = load()) {
      assertThat(another.tune(1, TOKENS, 2, 1)).isEqualTo(first);
      assertThat(cuda.launched).isEmpty();
      cuda.launchedRows.clear();
      another.forward(q, k, k, logG, ForwardOptions.defaults()).close();
      assertThat(rowsOf("state_pass")).isEqualTo(2);
    }
  }

  @Test
  void onlyCallsThatLeaveTheFormOpenAreMeasuredByThemselves() {
    Tuner lazily = tuner(true, LONG);
    CallSizes sizes = new CallSizes(1, TOKENS, 2, 1, null);
    CallSizes few = new CallSizes(1, TOKENS - 1, 2, 1, null);
    cuda.launched.clear();
    lazily.beforeCall(Form.CHUNKED, sizes);
    lazily.beforeCall(Form.ATTENTION, sizes);
    lazily.beforeCall(Form.AUTOMATIC, few);
    tuner(false, LONG).beforeCall(Form.AUTOMATIC, sizes);
    assertThat(cuda.launched).isEmpty();
    lazily.beforeCall(Form.AUTOMATIC, sizes);
    assertThat(cuda.launched).isNotEmpty();
    cuda.launched.clear();
    lazily.beforeCall(Form.AUTOMATIC, sizes);
    assertThat(cuda.launched).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {970, 990})
  void anotherWayHasToWinByMoreThanNoise(int two) {
    assertThat(segmentsByCostModel()).isNotEqualTo(2);
    cuda.milliseconds =
        (kernel, rows) ->
            switch (kernel) {
              case "state_pass" -> rows == 2 ? two : 1000;
              case "attention" -> 1000;
              default -> 0;
            };
    Tuning tuning = tuner(false, Duration.ofHours(1)).tune(SHAPE);
    assertThat(tuning.untunedMilliseconds()).isEqualTo(1000);
    assertThat(tuning.milliseconds()).isEqualTo(two < 980 ? two : 1000);
    forward();
    assertThat(rowsOf("state_pass") == 2).isEqualTo(two < 980);
  }

  @Test
  void whenTimeIsUpTheBestSoFarIsTaken() {
    cuda.milliseconds = (kernel, rows) -> 2;
    Tuning tuning = tuner(false, Duration.ofNanos(1)).tune(SHAPE);
    assertThat(tuning.chunksPerSegment()).isEqualTo(0);
    assertThat(tuning.milliseconds()).isEqualTo(tuning.untunedMilliseconds());
    // No other way than the cost model's was tried.
    assertThat(cuda.launched).doesNotContain("attention");
  }

  @Test
  void aFailureLeavesNothingChosenAndCanBeTriedAgain() {
    int segments = segmentsByCostModel();
    cuda.failures.put("cuLaunchKernel", 400);
    assertThrows(DeviceException.class, () -> operator.tune(1, TOKENS, 2, 1));
    cuda.failures.clear();
    forward();
    assertThat(rowsOf("state_pass")).isEqualTo(segments);
    cuda.milliseconds = fastestWith(2, 100);
    Tuning unused = operator.tune(1, TOKENS, 2, 1);
    forward();
    assertThat(rowsOf("state_pass")).isEqualTo(2);
  }

  @Test
  void sizesAreChecked() {
    assertThat(assertThrows(IllegalArgumentException.class, () -> operator.tune(1, TOKENS, 3, 2)))
        .hasMessageThat()
        .contains("queryHeads = 3 with keyHeads = 2");
    assertThat(assertThrows(IllegalArgumentException.class, () -> operator.tune(0, TOKENS, 2, 1)))
        .hasMessageThat()
        .contains("batch = 0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "0", "-1", "NaN", "Infinity"})
  void aLimitThatIsNoNumberOfSecondsIsRefused(String seconds) {
    assertThat(assertThrows(IllegalArgumentException.class, () -> Tuner.limit(seconds)))
        .hasMessageThat()
        .contains("-Dpowerattention.tune.seconds=" + seconds);
  }

  @Test
  void theLimitIsInSeconds() {
    assertThat(Tuner.limit(null)).isEqualTo(Duration.ofSeconds(2));
    assertThat(Tuner.limit("0.25")).isEqualTo(Duration.ofMillis(250));
  }

  /** On the CPU there is a choice between the forms, whose results differ in their last bits. */
  @Test
  void theCpuTakesTheFormThatWasFaster() {
    KernelSpec spec = new KernelSpec(2, 16, 64, DType.FP32, false, true);
    Random random = new Random(1);
    float[] numbers = new float[200 * 16];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    try (Accelerator cpu = Accelerator.cpu();
        PowerAttentionOperator onCpu = OperatorFixture.load(cpu, spec);
        Tensor x = cpu.tensor(DType.FP32, numbers, 1, 200, 1, 16)) {
      float[] attention = outputs(onCpu, x, Form.ATTENTION);
      float[] chunked = outputs(onCpu, x, Form.CHUNKED);
      assertThat(attention).isNotEqualTo(chunked);
      Tuning tuning = onCpu.tune(1, 200, 1, 1);
      assertThat(tuning.form()).isNotEqualTo(Form.AUTOMATIC);
      assertThat(tuning.milliseconds()).isGreaterThan(0);
      assertThat(tuning.chunksPerSegment()).isEqualTo(0);
      assertThat(outputs(onCpu, x, Form.AUTOMATIC))
          .isEqualTo(tuning.form() == Form.CHUNKED ? chunked : attention);
    }
  }

  private static float[] outputs(PowerAttentionOperator operator, Tensor x, Form form) {
    try (Tensor y = operator.forward(x, x, x, null, ForwardOptions.defaults().form(form))) {
      return y.toFloats();
    }
  }
}
