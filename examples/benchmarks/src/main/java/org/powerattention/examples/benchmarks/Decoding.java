package org.powerattention.examples.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.kernels.Power2Dim64Launcher;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.DecodeStep;
import org.powerattention.runtime.ServeOptions;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * Times decode steps: one token of each sequence of a batch. Steps rotate over states that together
 * are larger than the L2 cache, as the layers of a model do.
 */
final class Decoding implements AutoCloseable {
  static final List<Integer> BATCHES = List.of(1, 8, 64);
  static final int HEADS = 8;

  /** Tokens in the key/value cache of softmax attention. */
  static final int CACHE_TOKENS = 65_536;

  private static final KernelSpec SPEC = Power2Dim64Launcher.SPEC;
  private static final ServeOptions OPTIONS = ServeOptions.defaults();
  private static final long ROTATION_BYTES = 200L << 20;

  /** Steps of a state from one fold of its window to the next. */
  private static final int FOLD_STEPS = SPEC.windowTokens() / 2;

  /** Spans that are timed, each with one fold of every state: 576 steps of each. */
  private static final int SPANS = 9;

  private final Accelerator device;
  private final GpuClock clock;
  private final Power2Dim64Launcher attention;
  private final double copyBytesPerSecond;

  Decoding(Accelerator device, GpuClock clock) {
    this.device = device;
    this.clock = clock;
    this.copyBytesPerSecond = clock.copyBytesPerSecond(device);
    this.attention = Power2Dim64Launcher.on(device);
  }

  /** Measured rate of a copy within device memory. */
  double copyBytesPerSecond() {
    return copyBytesPerSecond;
  }

  /** A state and the tensors of its steps. */
  private record Layer(
      Tensor q, Tensor k, Tensor v, Tensor logG, Tensor y, State state, DecodeStep captured)
      implements AutoCloseable {
    static Layer of(Accelerator device, Power2Dim64Launcher attention, int batch, Random random) {
      long[] shape = {batch, 1, HEADS, SPEC.headDim()};
      Tensor q = gaussians(device, shape, random);
      Tensor k = gaussians(device, shape, random);
      Tensor v = gaussians(device, shape, random);
      float[] gates = new float[batch * HEADS];
      for (int i = 0; i < gates.length; i++) {
        gates[i] = -0.02f * random.nextFloat();
      }
      Tensor logG = device.tensor(DType.FP32, gates, Arrays.copyOf(shape, 3));
      Tensor y = device.zeros(SPEC.dtype(), shape);
      State state = attention.newState(batch, HEADS);
      return new Layer(
          q, k, v, logG, y, state, attention.captureDecode(y, state, q, k, v, logG, OPTIONS));
    }

    private static Tensor gaussians(Accelerator device, long[] shape, Random random) {
      int numbers = Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact));
      return device.tensor(SPEC.dtype(), Timer.Inputs.gaussians(numbers, random), shape);
    }

    void call(Power2Dim64Launcher attention) {
      attention.decodeInto(y, state, q, k, v, logG, OPTIONS);
    }

    void replay() {
      captured.launch();
    }

    @Override
    public void close() {
      captured.close();
      state.close();
      for (Tensor tensor : List.of(q, k, v, logG, y)) {
        tensor.close();
      }
    }
  }

  /** One step of a layer. */
  private interface Step {
    void of(Layer layer);
  }

  /**
   * Returns the bytes that a step must move on average: {@code b h (s + 96 w + 2 s / 64)} with s
   * the bytes of a head's sums and key sums, all of which a step reads; w the bytes of a token's
   * key, value and gate in the window, which holds 64 to 128 tokens, 96 on average; and a fold,
   * which reads and writes the sums, once in 64 steps. The token's own q, k, v and y, less than a
   * thousandth of that, are left out.
   */
  static double stepBytes(int batch) {
    double sums = SPEC.stateBytes();
    double token = 2.0 * SPEC.headDim() * SPEC.dtype().bytes() + Float.BYTES;
    double window = 0.75 * SPEC.windowTokens() * token;
    return (double) batch * HEADS * (sums + window + 2 * sums / FOLD_STEPS);
  }

  /** Times a batch: by calls, then by replaying captured steps. */
  List<DecodeRow> rows(int batch, @Nullable Peers peers) {
    Random random = new Random(batch);
    List<Layer> layers = new ArrayList<>();
    try {
      long count = Math.max(1, ROTATION_BYTES / ((long) batch * HEADS * SPEC.stateBytes()));
      for (long i = 0; i < count; i++) {
        layers.add(Layer.of(device, attention, batch, random));
      }
      return List.of(
          row("call", batch, layers, layer -> layer.call(attention), peers),
          row("graph", batch, layers, Layer::replay, peers));
    } finally {
      device.synchronize();
      layers.forEach(Layer::close);
    }
  }

  private DecodeRow row(
      String how, int batch, List<Layer> layers, Step step, @Nullable Peers peers) {
    int steps = FOLD_STEPS * layers.size();
    // Until the windows are as full as they stay, and the JIT compiler has seen the calls.
    clock.spans(3, span -> run(layers, step, steps));
    double[] spans = clock.spans(SPANS, span -> run(layers, step, steps));
    double mean = Arrays.stream(spans).sum() / SPANS / steps;
    // Single steps: 63 of 64 have no fold, so that the median is of one without.
    double single =
        GpuClock.median(clock.spans(4 * FOLD_STEPS, i -> step.of(layers.get(i % layers.size()))));
    return DecodeRow.of(
        how,
        SPEC,
        batch,
        HEADS,
        layers.size(),
        GpuClock.median(spans) / steps,
        mean,
        single,
        batch == 1 ? enqueueMicros(layers.get(0), step) : null,
        layers.get(0).state().bytes(),
        stepBytes(batch),
        copyBytesPerSecond,
        peers == null ? null : peers.decode(batch));
  }

  private static void run(List<Layer> layers, Step step, int steps) {
    for (int i = 0; i < steps; i++) {
      step.of(layers.get(i % layers.size()));
    }
  }

  /** Returns the median microseconds that a step takes its caller, who does not wait for it. */
  private double enqueueMicros(Layer layer, Step step) {
    double[] micros = new double[1000];
    for (int i = -1000; i < micros.length; i++) {
      if (i % 100 == 0) {
        device.synchronize(); // so that a full queue is not what is measured
      }
      long start = System.nanoTime();
      step.of(layer);
      double taken = (System.nanoTime() - start) / 1e3;
      if (i >= 0) {
        micros[i] = taken;
      }
    }
    device.synchronize();
    return GpuClock.median(micros);
  }

  @Override
  public void close() {
    attention.close();
  }
}
