package org.powerattention.examples.benchmarks;

import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.kernels.Power1Dim128Launcher;
import org.powerattention.kernels.Power1Dim64Launcher;
import org.powerattention.kernels.Power2Dim128Launcher;
import org.powerattention.kernels.Power2Dim32Launcher;
import org.powerattention.kernels.Power2Dim64Fp16Launcher;
import org.powerattention.kernels.Power2Dim64Fp32Launcher;
import org.powerattention.kernels.Power2Dim64Launcher;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.Tensor;

/** The catalogue's operators that are timed, all of them gated. */
@SuppressWarnings("ImmutableEnumChecker") // the loaders hold nothing
enum Operator {
  POWER_1_DIM_64(
      Power1Dim64Launcher.SPEC,
      device -> {
        var launcher = Power1Dim64Launcher.on(device);
        return new Loaded(
            launcher::close,
            launcher::forwardInto,
            launcher::newSavedForward,
            launcher::newGradients,
            launcher::backwardInto);
      }),
  POWER_1_DIM_128(
      Power1Dim128Launcher.SPEC,
      device -> {
        var launcher = Power1Dim128Launcher.on(device);
        return new Loaded(
            launcher::close,
            launcher::forwardInto,
            launcher::newSavedForward,
            launcher::newGradients,
            launcher::backwardInto);
      }),
  POWER_2_DIM_32(
      Power2Dim32Launcher.SPEC,
      device -> {
        var launcher = Power2Dim32Launcher.on(device);
        return new Loaded(
            launcher::close,
            launcher::forwardInto,
            launcher::newSavedForward,
            launcher::newGradients,
            launcher::backwardInto);
      }),
  POWER_2_DIM_64(
      Power2Dim64Launcher.SPEC,
      device -> {
        var launcher = Power2Dim64Launcher.on(device);
        return new Loaded(
            launcher::close,
            launcher::forwardInto,
            launcher::newSavedForward,
            launcher::newGradients,
            launcher::backwardInto);
      }),
  POWER_2_DIM_128(
      Power2Dim128Launcher.SPEC,
      device -> {
        var launcher = Power2Dim128Launcher.on(device);
        return new Loaded(
            launcher::close,
            launcher::forwardInto,
            launcher::newSavedForward,
            launcher::newGradients,
            launcher::backwardInto);
      }),
  POWER_2_DIM_64_FP16(
      Power2Dim64Fp16Launcher.SPEC,
      device -> {
        var launcher = Power2Dim64Fp16Launcher.on(device);
        return new Loaded(
            launcher::close,
            launcher::forwardInto,
            launcher::newSavedForward,
            launcher::newGradients,
            launcher::backwardInto);
      }),
  POWER_2_DIM_64_FP32(
      Power2Dim64Fp32Launcher.SPEC,
      device -> {
        var launcher = Power2Dim64Fp32Launcher.on(device);
        return new Loaded(
            launcher::close,
            launcher::forwardInto,
            launcher::newSavedForward,
            launcher::newGradients,
            launcher::backwardInto);
      });

  private final KernelSpec spec;
  private final Function<Accelerator, Loaded> loader;

  Operator(KernelSpec spec, Function<Accelerator, Loaded> loader) {
    this.spec = spec;
    this.loader = loader;
  }

  KernelSpec spec() {
    return spec;
  }

  Loaded on(Accelerator device) {
    return loader.apply(device);
  }

  /**
   * Loads operators, all at once, since that compiles those that are new here.
   *
   * @param training those of them whose backward part is compiled too
   */
  static Map<Operator, Loaded> load(
      Accelerator device, Set<Operator> operators, Set<Operator> training) throws Exception {
    Map<Operator, Loaded> loaded = new EnumMap<>(Operator.class);
    ExecutorService threads = Executors.newCachedThreadPool();
    try {
      Map<Operator, Future<Loaded>> loading = new EnumMap<>(Operator.class);
      for (Operator operator : operators) {
        loading.put(
            operator,
            threads.submit(
                () -> {
                  Loaded one = operator.on(device);
                  if (training.contains(operator)) {
                    Training.load(device, operator, one);
                  }
                  return one;
                }));
      }
      for (Map.Entry<Operator, Future<Loaded>> entry : loading.entrySet()) {
        loaded.put(entry.getKey(), entry.getValue().get());
      }
    } finally {
      threads.shutdown();
    }
    return loaded;
  }

  /** The forward method of a gated launcher. */
  @FunctionalInterface
  interface Forward {
    void into(Tensor y, Tensor q, Tensor k, Tensor v, Tensor logG, ForwardOptions options);
  }

  /** The method of a launcher that makes a place for what a forward call keeps. */
  @FunctionalInterface
  interface Saving {
    SavedForward of(int batch, int tokens, int queryHeads);
  }

  /** The method of a launcher that makes tensors for gradients. */
  @FunctionalInterface
  interface GradientsOf {
    Gradients of(Tensor q, Tensor k, BackwardOptions options);
  }

  /** The backward method of a gated launcher. */
  @FunctionalInterface
  interface Backward {
    void into(
        Gradients gradients,
        Tensor q,
        Tensor k,
        Tensor v,
        Tensor logG,
        Tensor dY,
        BackwardOptions options);
  }

  /** A launcher's methods. */
  record Loaded(
      Runnable closing, Forward forward, Saving saving, GradientsOf gradients, Backward backward)
      implements AutoCloseable {
    @Override
    public void close() {
      closing.run();
    }
  }
}
