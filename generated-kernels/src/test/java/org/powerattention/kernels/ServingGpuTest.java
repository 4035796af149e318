package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.DecodeStep;
import org.powerattention.runtime.ServeOptions;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Stream;
import org.powerattention.runtime.Tensor;

/** What prefill and decode calls on a GPU do besides being accurate. */
@Tag("gpu")
class ServingGpuTest {
  private static final int BATCH = 2;
  private static final int QUERY_HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int HEAD_DIM = 64;
  private static final int PREFILLED = 300;

  /** The window is folded several times while the others are decoded. */
  private static final int TOKENS = PREFILLED + 200;

  private static @Nullable Accelerator opened;

  /** Sequences on a device, and a place for their outputs. */
  private static final class Sequences implements AutoCloseable {
    final Tensor q;
    final Tensor k;
    final Tensor v;
    final Tensor logG;
    final Tensor y;

    Sequences(Accelerator device, int batch, int tokens) {
      Random random = new Random(7);
      q = normal(device, random, batch, tokens, QUERY_HEADS);
      k = normal(device, random, batch, tokens, KEY_HEADS);
      v = normal(device, random, batch, tokens, KEY_HEADS);
      float[] gates = new float[batch * tokens * KEY_HEADS];
      for (int i = 0; i < gates.length; i++) {
        gates[i] = -0.1f * random.nextFloat();
      }
      logG = device.tensor(DType.FP32, gates, batch, tokens, KEY_HEADS);
      y = device.zeros(DType.BF16, batch, tokens, QUERY_HEADS, HEAD_DIM);
    }

    private static Tensor normal(
        Accelerator device, Random random, int batch, int tokens, int heads) {
      float[] values = new float[batch * tokens * heads * HEAD_DIM];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return device.tensor(DType.BF16, values, batch, tokens, heads, HEAD_DIM);
    }

    void prefill(Power2Dim64Launcher attention, State state, int to, ServeOptions options) {
      attention.prefillInto(
          y.slice(1, 0, to),
          state,
          q.slice(1, 0, to),
          k.slice(1, 0, to),
          v.slice(1, 0, to),
          logG.slice(1, 0, to),
          options);
    }

    void decode(Power2Dim64Launcher attention, State state, int from, ServeOptions options) {
      for (int token = from; token < q.shape()[1]; token++) {
        attention.decodeInto(
            y.slice(1, token, token + 1),
            state,
            q.slice(1, token, token + 1),
            k.slice(1, token, token + 1),
            v.slice(1, token, token + 1),
            logG.slice(1, token, token + 1),
            options);
      }
    }

    @Override
    public void close() {
      for (Tensor tensor : List.of(q, k, v, logG, y)) {
        tensor.close();
      }
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

  /** Outputs, and the sums after the last token. */
  private static List<float[]> serve(Accelerator device, ServeOptions options) {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(device);
        Sequences in = new Sequences(device, BATCH, TOKENS);
        State state = attention.newState(BATCH, KEY_HEADS)) {
      device.synchronize();
      in.prefill(attention, state, PREFILLED, options);
      in.decode(attention, state, PREFILLED, options);
      Stream stream = options.stream();
      if (stream != null) {
        stream.synchronize();
      }
      return List.of(in.y.toFloats(), state.sums().toFloats());
    }
  }

  private static void assertSame(List<float[]> actual, List<float[]> expected) {
    assertWithMessage("y").that(actual.get(0)).isEqualTo(expected.get(0));
    assertWithMessage("sums").that(actual.get(1)).isEqualTo(expected.get(1));
  }

  @Test
  void twoRunsGiveTheSameBits() {
    assertSame(serve(gpu(), ServeOptions.defaults()), serve(gpu(), ServeOptions.defaults()));
  }

  @Test
  void callsOnAStreamRunInOrder() {
    try (Stream stream = gpu().newStream()) {
      assertSame(
          serve(gpu(), ServeOptions.defaults().stream(stream)),
          serve(gpu(), ServeOptions.defaults()));
    }
  }

  @Test
  void aReplayedGraphGivesTheBitsOfTheCall() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Sequences in = new Sequences(gpu(), BATCH, TOKENS);
        Sequences one = new Sequences(gpu(), BATCH, 1);
        Stream stream = gpu().newStream();
        State called = attention.newState(BATCH, KEY_HEADS);
        State replayed = attention.newState(BATCH, KEY_HEADS)) {
      in.decode(attention, called, 0, ServeOptions.defaults());
      List<float[]> outputs = new ArrayList<>();
      try (DecodeStep step =
          attention.captureDecode(one.y, replayed, one.q, one.k, one.v, one.logG)) {
        for (int token = 0; token < TOKENS; token++) {
          one.q.copyFrom(in.q.slice(1, token, token + 1).toFloats());
          one.k.copyFrom(in.k.slice(1, token, token + 1).toFloats());
          one.v.copyFrom(in.v.slice(1, token, token + 1).toFloats());
          one.logG.copyFrom(in.logG.slice(1, token, token + 1).toFloats());
          gpu().synchronize();
          if (token % 2 == 0) {
            step.launch();
            gpu().synchronize();
          } else {
            step.launch(stream);
            stream.synchronize();
          }
          outputs.add(one.y.toFloats());
        }
      }
      for (int token = 0; token < TOKENS; token++) {
        assertWithMessage("token %s", token)
            .that(outputs.get(token))
            .isEqualTo(in.y.slice(1, token, token + 1).toFloats());
      }
      assertThat(replayed.sums().toFloats()).isEqualTo(called.sums().toFloats());
    }
  }

  @Test
  void addressesAndTensorsGiveTheSameBits() {
    ServeOptions options = ServeOptions.defaults();
    // Addresses are of contiguous arrays: one sequence, so that its tokens are neighbours.
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Sequences tensors = new Sequences(gpu(), 1, TOKENS);
        Sequences addresses = new Sequences(gpu(), 1, TOKENS);
        State first = attention.newState(1, KEY_HEADS);
        State second = attention.newState(1, KEY_HEADS)) {
      tensors.prefill(attention, first, PREFILLED, options);
      tensors.decode(attention, first, PREFILLED, options);
      attention.prefill(
          second,
          addresses.q.address(),
          addresses.k.address(),
          addresses.v.address(),
          addresses.logG.address(),
          addresses.y.address(),
          PREFILLED,
          QUERY_HEADS,
          options);
      for (int token = PREFILLED; token < TOKENS; token++) {
        long queries = 2L * token * QUERY_HEADS * HEAD_DIM;
        long keys = 2L * token * KEY_HEADS * HEAD_DIM;
        attention.decode(
            second,
            addresses.q.address() + queries,
            addresses.k.address() + keys,
            addresses.v.address() + keys,
            addresses.logG.address() + 4L * token * KEY_HEADS,
            addresses.y.address() + queries,
            QUERY_HEADS,
            options);
      }
      assertThat(addresses.y.toFloats()).isEqualTo(tensors.y.toFloats());
      assertThat(second.sums().toFloats()).isEqualTo(first.sums().toFloats());
    }
  }

  @Test
  void aStateMovesBetweenDevices() {
    try (Accelerator cpu = Accelerator.cpu();
        Power2Dim64Launcher onCpu = Power2Dim64Launcher.on(cpu);
        Power2Dim64Launcher onGpu = Power2Dim64Launcher.on(gpu());
        Sequences there = new Sequences(cpu, BATCH, TOKENS);
        Sequences here = new Sequences(gpu(), BATCH, TOKENS);
        State cpuState = onCpu.newState(BATCH, KEY_HEADS)) {
      there.prefill(onCpu, cpuState, PREFILLED, ServeOptions.defaults());
      // Only the state knows the first tokens here.
      try (State gpuState = onGpu.copyOf(cpuState);
          State back = onCpu.copyOf(gpuState)) {
        here.decode(onGpu, gpuState, PREFILLED, ServeOptions.defaults());
        there.decode(onCpu, back, PREFILLED, ServeOptions.defaults());
        float[] expected = there.y.slice(1, PREFILLED, TOKENS).toFloats();
        float[] actual = here.y.slice(1, PREFILLED, TOKENS).toFloats();
        double difference = 0;
        double square = 0;
        for (int i = 0; i < expected.length; i++) {
          difference += Math.pow((double) actual[i] - expected[i], 2);
          square += Math.pow(expected[i], 2);
        }
        assertThat(Math.sqrt(difference / square)).isLessThan(5e-3);
      }
    }
  }

  @Test
  void launchOverheadIsSmall() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Sequences one = new Sequences(gpu(), 1, 1);
        State state = attention.newState(1, KEY_HEADS);
        DecodeStep step = attention.captureDecode(one.y, state, one.q, one.k, one.v, one.logG)) {
      ServeOptions options = ServeOptions.defaults();
      double call =
          median(() -> attention.decodeInto(one.y, state, one.q, one.k, one.v, one.logG, options));
      double graph = median(step::launch);
      System.out.printf(
          Locale.ROOT,
          "%nLaunch overhead of a decode step on %s, medians: call %.1f us, graph %.1f us%n",
          gpu(),
          call,
          graph);
      assertThat(call).isLessThan(100.0);
      assertThat(graph).isLessThan(50.0);
    }
  }

  /** Returns the median of microseconds that it takes to enqueue a step. */
  private static double median(Runnable step) {
    double[] micros = new double[1000];
    for (int i = -1000; i < micros.length; i++) {
      long start = System.nanoTime();
      step.run();
      double taken = (System.nanoTime() - start) / 1e3;
      if (i >= 0) {
        micros[i] = taken;
      }
      if (i % 100 == 0) {
        gpu().synchronize(); // so that a full queue is not what is measured
      }
    }
    Arrays.sort(micros);
    return micros[500];
  }

  @Test
  void launchesAllocateNothingOnTheHeap() throws ReflectiveOperationException {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Sequences one = new Sequences(gpu(), 1, 1);
        Stream stream = gpu().newStream();
        State state = attention.newState(1, KEY_HEADS);
        DecodeStep step = attention.captureDecode(one.y, state, one.q, one.k, one.v, one.logG)) {
      gpu().synchronize();
      for (int i = 0; i < 20_000; i++) {
        step.launch(stream);
      }
      stream.synchronize();
      long start = allocatedBytes();
      long before = allocatedBytes();
      for (int i = 0; i < 1000; i++) {
        step.launch(stream);
      }
      long after = allocatedBytes();
      stream.synchronize();
      assertThat((after - before) - (before - start)).isAtMost(0);
    }
  }

  /** Bytes that this thread has allocated; by reflection, since the module does not require JMX. */
  private static long allocatedBytes() throws ReflectiveOperationException {
    Object bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    return (long)
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getThreadAllocatedBytes", long.class)
            .invoke(bean, Thread.currentThread().getId());
  }
}
