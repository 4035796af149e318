package org.powerattention.examples.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Tensor;

/**
 * Times forward calls: the median over batches of calls, each batch enqueued at once and waited
 * for, so that launches overlap with the work as they do in a model. Calls rotate over sets of
 * inputs larger than the L2 cache.
 */
final class Timer {
  private static final int BATCHES = 9;
  private static final double BATCH_SECONDS = 0.02;
  private static final long ROTATION_BYTES = 200L << 20;

  private Timer() {}

  /** Random inputs of one call, and its output. */
  record Inputs(Tensor q, Tensor k, Tensor v, Tensor logG, Tensor y) implements AutoCloseable {
    static Inputs random(Accelerator device, Case sizes, Random random) {
      long[] shape = {sizes.batch(), sizes.tokens(), sizes.heads(), sizes.spec().headDim()};
      DType dtype = sizes.spec().dtype();
      int numbers = Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact));
      float[] gates = new float[numbers / sizes.spec().headDim()];
      for (int i = 0; i < gates.length; i++) {
        gates[i] = -0.02f * random.nextFloat();
      }
      return new Inputs(
          device.tensor(dtype, gaussians(numbers, random), shape),
          device.tensor(dtype, gaussians(numbers, random), shape),
          device.tensor(dtype, gaussians(numbers, random), shape),
          device.tensor(DType.FP32, gates, Arrays.copyOf(shape, 3)),
          device.zeros(dtype, shape));
    }

    /** Normal numbers, which repeat after a million: drawing all of them would take minutes. */
    static float[] gaussians(int count, Random random) {
      float[] values = new float[count];
      int drawn = Math.min(count, (1 << 20) + 7);
      for (int i = 0; i < drawn; i++) {
        values[i] = (float) random.nextGaussian();
      }
      for (int i = drawn; i < count; i += drawn) {
        System.arraycopy(values, 0, values, i, Math.min(drawn, count - i));
      }
      return values;
    }

    @Override
    public void close() {
      for (Tensor tensor : List.of(q, k, v, logG, y)) {
        tensor.close();
      }
    }
  }

  /** Returns how many sets of inputs calls rotate over. */
  static int sets(Case timed) {
    long bytes = 4L * timed.batch() * timed.tokens() * timed.heads() * timed.spec().headDim();
    return (int) Math.max(1, Math.min(8, ROTATION_BYTES / (bytes * 2)));
  }

  /**
   * A forward call.
   *
   * @param milliseconds what it takes
   * @param relError the error of what it returns, see {@link SampledError}
   */
  record Measured(double milliseconds, double relError) {}

  /** Times a forward call. */
  static Measured forward(Accelerator device, Case timed, Operator.Loaded operator) {
    Random random = new Random(timed.hashCode());
    int sets = sets(timed);
    List<Inputs> inputs = new ArrayList<>();
    ForwardOptions options = ForwardOptions.defaults().form(timed.form());
    try {
      for (int i = 0; i < sets; i++) {
        inputs.add(Inputs.random(device, timed, random));
      }
      double first = batch(device, operator, inputs, options, 3);
      int calls = (int) Math.max(1, Math.min(200, BATCH_SECONDS / (first / 3)));
      batch(device, operator, inputs, options, calls);
      double[] times = new double[BATCHES];
      for (int i = 0; i < BATCHES; i++) {
        times[i] = batch(device, operator, inputs, options, calls) / calls * 1e3;
      }
      Arrays.sort(times);
      return new Measured(times[BATCHES / 2], SampledError.ofY(timed.spec(), inputs.get(0)));
    } finally {
      inputs.forEach(Inputs::close);
    }
  }

  /** Returns the seconds that a number of calls take together. */
  private static double batch(
      Accelerator device,
      Operator.Loaded operator,
      List<Inputs> inputs,
      ForwardOptions options,
      int calls) {
    device.synchronize();
    long start = System.nanoTime();
    for (int i = 0; i < calls; i++) {
      Inputs set = inputs.get(i % inputs.size());
      operator.forward().into(set.y(), set.q(), set.k(), set.v(), set.logG(), options);
    }
    device.synchronize();
    return (System.nanoTime() - start) / 1e9;
  }
}
