package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;

/** An accelerator on the CPU that two threads close while others call: nothing worse than that. */
final class CloseRaceTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);
  private static final int ROUNDS = 20;
  private static final int THREADS = 6;

  @Test
  void whoIsStillCallingIsToldThatSomethingIsClosed() throws Exception {
    Random random = new Random(5);
    ExecutorService pool = Executors.newFixedThreadPool(THREADS + 1);
    try {
      for (int round = 0; round < ROUNDS; round++) {
        Accelerator device = Accelerator.cpu();
        PowerAttentionOperator operator =
            PowerAttentionOperator.load(device, FakeCuda.program("Layer", SPEC));
        Tensor x = device.zeros(DType.BF16, 1, 100, 1, 16);
        Tensor logG = device.zeros(DType.FP32, 1, 100, 1);
        List<Future<Exception>> ends = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
          boolean serves = thread % 2 == 0;
          ends.add(
              pool.submit(
                  () ->
                      end(
                          serves
                              ? () -> serve(operator, x, logG)
                              : () -> train(operator, x, logG))));
        }
        Thread.sleep(random.nextInt(20));
        Future<?> other = pool.submit(device::close);
        device.close();
        other.get();
        for (Future<Exception> end : ends) {
          assertThat(end.get()).isInstanceOf(IllegalStateException.class);
          assertThat(end.get()).hasMessageThat().contains("closed");
        }
      }
    } finally {
      pool.shutdownNow();
    }
  }

  /** Repeats calls until one fails. */
  private static Exception end(Callable<?> calls) {
    while (true) {
      try {
        Object unused = calls.call();
      } catch (Exception e) {
        return e;
      }
    }
  }

  private static boolean train(PowerAttentionOperator operator, Tensor x, Tensor logG) {
    operator.forward(x, x, x, logG, ForwardOptions.defaults()).close();
    operator.backward(x, x, x, logG, x, BackwardOptions.defaults()).close();
    return true;
  }

  private static boolean serve(PowerAttentionOperator operator, Tensor x, Tensor logG) {
    Tensor x1 = x.slice(1, 0, 1);
    Tensor logG1 = logG.slice(1, 0, 1);
    try (State state = operator.newState(1, 1)) {
      operator.prefill(state, x, x, x, logG, ServeOptions.defaults()).close();
      operator.decode(state, x1, x1, x1, logG1, ServeOptions.defaults()).close();
      state.copy().close();
    }
    return true;
  }
}
