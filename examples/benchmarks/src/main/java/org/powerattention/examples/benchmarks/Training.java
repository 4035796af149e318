package org.powerattention.examples.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.IntConsumer;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.Tensor;

/**
 * Times a training step's calls: forward keeping what backward needs, and backward reading it.
 *
 * @param forwardBackward milliseconds of both
 * @param backward milliseconds of backward alone
 * @param relError the error of the gradient of q, see {@link SampledError}
 */
record Training(double forwardBackward, double backward, double relError) {
  private static final int WARM_UP = 2;
  private static final double SECONDS = 0.1;
  private static final int MOST_CALLS = 51;
  private static final int LEAST_CALLS = 10;

  /** A call's tensors. */
  private record Set(Timer.Inputs inputs, Tensor dY, SavedForward saved, Gradients gradients)
      implements AutoCloseable {
    static Set random(Accelerator device, Case sizes, Operator.Loaded operator, Random random) {
      Timer.Inputs inputs = Timer.Inputs.random(device, sizes, random);
      long[] shape = inputs.q().shape();
      int numbers = Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact));
      return new Set(
          inputs,
          device.tensor(sizes.spec().dtype(), Timer.Inputs.gaussians(numbers, random), shape),
          operator.saving().of(sizes.batch(), sizes.tokens(), sizes.heads()),
          operator.gradients().of(inputs.q(), inputs.k(), BackwardOptions.defaults()));
    }

    void forward(Operator.Loaded operator, Form form) {
      operator
          .forward()
          .into(
              inputs.y(),
              inputs.q(),
              inputs.k(),
              inputs.v(),
              inputs.logG(),
              ForwardOptions.defaults().form(form).save(saved));
    }

    void backward(Operator.Loaded operator, Form form) {
      operator
          .backward()
          .into(
              gradients,
              inputs.q(),
              inputs.k(),
              inputs.v(),
              inputs.logG(),
              dY,
              BackwardOptions.defaults().form(form).saved(saved));
    }

    @Override
    public void close() {
      inputs.close();
      dY.close();
      saved.close();
      gradients.close();
    }
  }

  /** Cases that are timed, all with one sequence of 8 heads. */
  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.ATTENTION, 1, 4096, 8));
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 4096, 8));
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 16_384, 8));
    cases.add(new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 65_536, 8));
    cases.add(new Case(Operator.POWER_2_DIM_128, Form.CHUNKED, 1, 16_384, 8));
    cases.add(new Case(Operator.POWER_2_DIM_128, Form.CHUNKED, 1, 65_536, 8));
    cases.add(new Case(Operator.POWER_2_DIM_32, Form.CHUNKED, 1, 65_536, 8));
    cases.add(new Case(Operator.POWER_1_DIM_64, Form.CHUNKED, 1, 65_536, 8));
    return cases;
  }

  /** Compiles the backward part of an operator, which its first call would do. */
  static void load(Accelerator device, Operator operator, Operator.Loaded loaded) {
    Case small = new Case(operator, Form.CHUNKED, 1, 128, 1);
    try (Set set = Set.random(device, small, loaded, new Random(1))) {
      set.forward(loaded, small.form());
      set.backward(loaded, small.form());
      device.synchronize();
    }
  }

  /** Times a case: medians over calls that rotate over sets of inputs larger than the L2 cache. */
  static Training of(Accelerator device, GpuClock clock, Case timed, Operator.Loaded operator) {
    Random random = new Random(timed.hashCode());
    List<Set> sets = new ArrayList<>();
    try {
      for (int i = 0; i < Timer.sets(timed); i++) {
        sets.add(Set.random(device, timed, operator, random));
      }
      // Every set is filled by a forward call before a backward call alone reads it.
      sets.forEach(set -> set.forward(operator, timed.form()));
      double both =
          median(
              clock,
              i -> {
                Set set = sets.get(i % sets.size());
                set.forward(operator, timed.form());
                set.backward(operator, timed.form());
              });
      double backward =
          median(clock, i -> sets.get(i % sets.size()).backward(operator, timed.form()));
      device.synchronize();
      Set read = sets.get(0);
      return new Training(
          both,
          backward,
          SampledError.ofQueryGradient(timed.spec(), read.inputs, read.dY, read.gradients.dQ()));
    } finally {
      sets.forEach(Set::close);
    }
  }

  private static double median(GpuClock clock, IntConsumer call) {
    double first = GpuClock.median(clock.spans(WARM_UP, call)) / 1e3;
    int calls = (int) Math.max(LEAST_CALLS, Math.min(MOST_CALLS, SECONDS / first));
    return GpuClock.median(clock.spans(calls, call));
  }
}
