package org.powerattention.djl;

import ai.djl.Model;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.Pair;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A DJL trainer for models with {@link PowerAttentionBlock}s; everything that takes a trainer, such
 * as {@link ai.djl.training.EasyTrain}, takes this one.
 *
 * <p>DJL has no way to give an operation a gradient of its own. The gradient collector of this
 * trainer runs the operators' own backward between passes of PyTorch's; in training mode the blocks
 * refuse to run under any other, which would silently leave gradients out. {@code backward} can be
 * called once for each collector, and on the thread of the forward pass. Gradients add up from
 * collector to collector until {@link #step}.
 */
public final class PowerAttentionTrainer extends Trainer {
  private PowerAttentionTrainer(Model model, TrainingConfig config) {
    super(model, config);
  }

  /**
   * Returns a trainer for a model; takes the place of {@link Model#newTrainer}.
   *
   * @param model the model, of the PyTorch engine, whose block has been set
   * @param config the configuration, with one device
   * @throws IllegalArgumentException if the engine is another, there is no block, or there are
   *     several devices
   */
  public static PowerAttentionTrainer of(Model model, TrainingConfig config) {
    String engine = model.getNDManager().getEngine().getEngineName();
    if (!engine.equals("PyTorch")) {
      throw new IllegalArgumentException(
          "the model's engine is "
              + engine
              + "; allowed: PyTorch. Use Model.newInstance(name, \"PyTorch\")");
    }
    if (model.getBlock() == null) {
      throw new IllegalArgumentException("the model has no block; call setBlock first");
    }
    if (config.getDevices().length != 1) {
      throw new IllegalArgumentException(
          config.getDevices().length
              + " devices given; allowed: one. Use DefaultTrainingConfig.optDevices");
    }
    unfreezeIfLoaded(model);
    for (Pair<Initializer, Predicate<Parameter>> initializer : config.getInitializers()) {
      @Nullable Initializer value = initializer.getKey();
      if (value != null && initializer.getValue() != null) {
        model.getBlock().setInitializer(value, initializer.getValue());
      }
    }
    return new PowerAttentionTrainer(model, config);
  }

  /** Loading freezes every parameter; one of those still frozen was meant to be. */
  private static void unfreezeIfLoaded(Model model) {
    if (model.getBlock().getParameters().values().stream().noneMatch(Parameter::requiresGradient)) {
      model
          .getBlock()
          .freezeParameters(
              false,
              p ->
                  p.getType() != Parameter.Type.RUNNING_MEAN
                      && p.getType() != Parameter.Type.RUNNING_VAR);
    }
  }

  @Override
  public GradientCollector newGradientCollector() {
    return GradientRecorder.start(super.newGradientCollector());
  }
}
