package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Stream;
import org.powerattention.runtime.Tensor;

/** What forward calls on a GPU do besides being accurate. */
@Tag("gpu")
class ForwardGpuTest {
  private static final int BATCH = 2;
  private static final int TOKENS = 3 * 1024 + 200;
  private static final int QUERY_HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int HEAD_DIM = 64;
  private static final ForwardOptions CHUNKED = ForwardOptions.defaults().form(Form.CHUNKED);

  private static @Nullable Accelerator opened;

  /** Inputs of a call. */
  private record Inputs(Tensor q, Tensor k, Tensor v, Tensor logG) implements AutoCloseable {
    static Inputs random(Accelerator device, long seed) {
      return random(device, seed, BATCH, TOKENS, QUERY_HEADS, KEY_HEADS);
    }

    static Inputs random(
        Accelerator device, long seed, int batch, int tokens, int queryHeads, int keyHeads) {
      Random random = new Random(seed);
      float[] gates = new float[batch * tokens * keyHeads];
      for (int i = 0; i < gates.length; i++) {
        gates[i] = -0.1f * random.nextFloat();
      }
      return new Inputs(
          normal(device, random, batch, tokens, queryHeads),
          normal(device, random, batch, tokens, keyHeads),
          normal(device, random, batch, tokens, keyHeads),
          device.tensor(DType.FP32, gates, batch, tokens, keyHeads));
    }

    private static Tensor normal(
        Accelerator device, Random random, int batch, int tokens, int heads) {
      float[] values = new float[batch * tokens * heads * HEAD_DIM];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return device.tensor(DType.BF16, values, batch, tokens, heads, HEAD_DIM);
    }

    @Override
    public void close() {
      q.close();
      k.close();
      v.close();
      logG.close();
    }
  }

  @BeforeAll
  static void open() {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    opened = Accelerator.cuda(0);
  }

  @AfterAll
  static void close() {
    if (opened != null) {
      opened.close();
    }
  }

  private static Accelerator gpu() {
    return Objects.requireNonNull(opened);
  }

  @Test
  void twoRunsGiveTheSameBits() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.random(gpu(), 1);
        State first = attention.newState(BATCH, KEY_HEADS);
        State second = attention.newState(BATCH, KEY_HEADS)) {
      for (Form form : List.of(Form.ATTENTION, Form.CHUNKED)) {
        ForwardOptions options = ForwardOptions.defaults().form(form);
        byte[] once = forward(attention, in, options.finalState(first));
        byte[] again = forward(attention, in, options.finalState(second));
        assertWithMessage("%s", form).that(again).isEqualTo(once);
        assertWithMessage("state of %s", form)
            .that(bytes(second.sums()))
            .isEqualTo(bytes(first.sums()));
      }
    }
  }

  @Test
  void addressesAndTensorsGiveTheSameBits() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.random(gpu(), 2);
        Tensor y = gpu().zeros(DType.BF16, BATCH, TOKENS, QUERY_HEADS, HEAD_DIM)) {
      for (ForwardOptions options : List.of(ForwardOptions.defaults(), CHUNKED)) {
        attention.forward(
            in.q().address(),
            in.k().address(),
            in.v().address(),
            in.logG().address(),
            y.address(),
            BATCH,
            TOKENS,
            QUERY_HEADS,
            KEY_HEADS,
            options);
        assertThat(bytes(y)).isEqualTo(forward(attention, in, options));
      }
    }
  }

  @Test
  void borrowedMemoryIsUsedInPlace() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.random(gpu(), 3);
        Tensor owner = gpu().zeros(DType.BF16, BATCH, TOKENS, QUERY_HEADS, HEAD_DIM);
        Tensor y = gpu().borrow(DType.BF16, owner.address(), owner.shape());
        Tensor q = gpu().borrow(DType.BF16, in.q().address(), in.q().shape())) {
      attention.forwardInto(y, q, in.k(), in.v(), in.logG(), CHUNKED);
      assertThat(bytes(owner)).isEqualTo(forward(attention, in, CHUNKED));
    }
  }

  @Test
  void callsOnAStreamRunInOrder() {
    // Each call's outputs are the next one's values, so that any overlap would show.
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.random(gpu(), 4, 1, 2500, KEY_HEADS, KEY_HEADS);
        Tensor a = gpu().zeros(DType.BF16, in.v().shape());
        Tensor b = gpu().zeros(DType.BF16, in.v().shape());
        Stream stream = gpu().newStream()) {
      ForwardOptions options = CHUNKED.stream(stream);
      for (Tensor v : List.of(in.v(), a, b)) {
        attention.forwardInto(v == a ? b : a, in.q(), in.k(), v, in.logG(), options);
      }
      stream.synchronize();
      byte[] queued = bytes(a);

      attention.forwardInto(a, in.q(), in.k(), in.v(), in.logG(), CHUNKED);
      gpu().synchronize();
      attention.forwardInto(b, in.q(), in.k(), a, in.logG(), CHUNKED);
      gpu().synchronize();
      attention.forwardInto(a, in.q(), in.k(), b, in.logG(), CHUNKED);
      assertThat(queued).isEqualTo(bytes(a));
    }
  }

  @Test
  void manyThreadsShareAnAcceleratorAndALauncher() throws Exception {
    int threads = 8;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu())) {
      List<Future<Boolean>> same = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        int seed = 100 + thread;
        same.add(
            pool.submit(
                () -> {
                  try (Inputs in = Inputs.random(gpu(), seed);
                      Stream stream = gpu().newStream()) {
                    byte[] alone;
                    synchronized (attention) {
                      alone = forward(attention, in, CHUNKED);
                    }
                    boolean equal = true;
                    for (int i = 0; i < 20; i++) {
                      ForwardOptions options = i % 2 == 0 ? CHUNKED.stream(stream) : CHUNKED;
                      equal &= Arrays.equals(forward(attention, in, options), alone);
                    }
                    return equal;
                  }
                }));
      }
      for (Future<Boolean> equal : same) {
        assertThat(equal.get()).isTrue();
      }
    } finally {
      pool.shutdown();
    }
  }

  @Test
  void cpuAndGpuAgree() {
    try (Accelerator cpu = Accelerator.cpu();
        Power2Dim64Launcher onCpu = Power2Dim64Launcher.on(cpu);
        Power2Dim64Launcher onGpu = Power2Dim64Launcher.on(gpu());
        Inputs cpuInputs = Inputs.random(cpu, 5, 1, 1500, 2, 1);
        Inputs gpuInputs = Inputs.random(gpu(), 5, 1, 1500, 2, 1);
        Tensor cpuOutput =
            onCpu.forward(cpuInputs.q(), cpuInputs.k(), cpuInputs.v(), cpuInputs.logG(), CHUNKED);
        Tensor gpuOutput =
            onGpu.forward(gpuInputs.q(), gpuInputs.k(), gpuInputs.v(), gpuInputs.logG(), CHUNKED)) {
      float[] expected = cpuOutput.toFloats();
      float[] actual = gpuOutput.toFloats();
      double difference = 0;
      double square = 0;
      for (int i = 0; i < expected.length; i++) {
        difference += Math.pow((double) actual[i] - expected[i], 2);
        square += Math.pow(expected[i], 2);
      }
      assertThat(Math.sqrt(difference / square)).isLessThan(5e-3);
    }
  }

  @Test
  void launchOverheadIsSmall() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.random(gpu(), 6, 1, 64, 1, 1);
        Tensor y = gpu().zeros(DType.BF16, in.q().shape())) {
      StringBuilder report = new StringBuilder("\nLaunch overhead on " + gpu() + ", medians:");
      for (Form form : List.of(Form.ATTENTION, Form.CHUNKED)) {
        ForwardOptions options = ForwardOptions.defaults().form(form);
        double[] micros = new double[1000];
        for (int i = -1000; i < micros.length; i++) {
          long start = System.nanoTime();
          attention.forwardInto(y, in.q(), in.k(), in.v(), in.logG(), options);
          double taken = (System.nanoTime() - start) / 1e3;
          if (i >= 0) {
            micros[i] = taken;
          }
          if (i % 100 == 0) {
            gpu().synchronize(); // so that a full queue is not what is measured
          }
        }
        Arrays.sort(micros);
        report.append(
            String.format(
                Locale.ROOT, " %s %.1f us", form.name().toLowerCase(Locale.ROOT), micros[500]));
        // A call makes up to six driver calls of a few microseconds each.
        assertWithMessage("microseconds of a call in form %s", form)
            .that(micros[500])
            .isLessThan(200.0);
      }
      System.out.println(report);
    }
  }

  private static byte[] forward(Power2Dim64Launcher attention, Inputs in, ForwardOptions options) {
    try (Tensor y = attention.forward(in.q(), in.k(), in.v(), in.logG(), options)) {
      return bytes(y);
    }
  }

  private static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[Math.toIntExact(tensor.elements() * tensor.dtype().bytes())];
    tensor.copyTo(ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()));
    return bytes;
  }
}
