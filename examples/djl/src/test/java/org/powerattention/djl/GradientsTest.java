package org.powerattention.djl;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.PowerAttentionOperator;

/** Gradients against those that DJL finds by itself for the formula. */
final class GradientsTest {
  private static final int WIDTH = 24;
  private static final int LAYERS = 3;

  @ParameterizedTest
  @CsvSource({
    "Gated2, 4, 2, true, true, 100, 0",
    "Gated2, 2, 2, false, false, 400, 0.3",
    "Ungated2, 2, 1, true, false, 70, 0",
    "Gated1, 2, 2, true, true, 150, 0.3",
  })
  void equalThoseOfTheFormulaThroughResidualLayers(
      String name,
      int heads,
      int keyHeads,
      boolean rotary,
      boolean cut,
      int tokens,
      float dropped) {
    try (Accelerator device = Accelerator.cpu();
        PowerAttentionOperator operator = operator(name, device);
        NDManager manager = NDManager.newBaseManager("PyTorch");
        Model model = Model.newInstance("layers", "PyTorch")) {
      List<PowerAttentionBlock> blocks = new ArrayList<>();
      for (int i = 0; i < LAYERS; i++) {
        PowerAttentionBlockBuilder builder =
            PowerAttentionBlock.builder()
                .setOperator(operator)
                .setWidth(WIDTH)
                .setHeads(heads)
                .optKeyHeads(keyHeads)
                .optInitialGate(0.9);
        blocks.add(rotary ? builder.optRotaryEmbedding(10_000).build() : builder.build());
      }
      manager.getEngine().setRandomSeed(7);
      Shape shape = new Shape(2, tokens, WIDTH);
      blocks.forEach(block -> block.initialize(manager, DataType.FLOAT32, shape));
      model.setBlock(blocks.get(0));
      NDArray input = manager.randomNormal(shape);
      input.setRequiresGradient(true);
      NDArray probe = manager.randomNormal(shape);
      ParameterStore parameters = new ParameterStore(manager, false);
      // Of the same seed, both passes drop the same numbers.
      Dropout dropout = Dropout.builder().optRate(dropped).build();

      manager.getEngine().setRandomSeed(8);
      double loss;
      try (Trainer trainer = PowerAttentionTrainer.of(model, config());
          GradientCollector collector = trainer.newGradientCollector()) {
        NDArray x = input;
        for (PowerAttentionBlock block : blocks) {
          NDList here =
              cut ? new GradientCut().forward(parameters, new NDList(x), true) : new NDList(x);
          NDList y = block.forward(parameters, Formula.norm(here), true);
          x = here.singletonOrThrow().add(dropout.forward(parameters, y, true).singletonOrThrow());
        }
        NDArray target = x.mul(probe).tanh().sum();
        loss = target.getFloat();
        collector.backward(target);
      }
      Map<String, float[]> actual = takeGradients(input, blocks);

      manager.getEngine().setRandomSeed(8);
      double expectedLoss;
      try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
        NDArray x = input;
        for (PowerAttentionBlock block : blocks) {
          Formula formula = Formula.of(block, heads, keyHeads, rotary);
          NDList y = new NDList(formula.layer(Formula.norm(new NDList(x)).singletonOrThrow()));
          x = x.add(dropout.forward(parameters, y, true).singletonOrThrow());
        }
        NDArray target = x.mul(probe).tanh().sum();
        expectedLoss = target.getFloat();
        collector.backward(target);
      }
      assertThat(loss).isWithin(1e-3 * Math.abs(expectedLoss) + 1e-3).of(expectedLoss);
      Map<String, float[]> expected = takeGradients(input, blocks);
      expected.forEach(
          (parameter, gradient) -> {
            assertWithMessage("length of d" + parameter).that(length(gradient)).isGreaterThan(1e-3);
            assertWithMessage("error of d" + parameter)
                .that(distance(actual.get(parameter), gradient) / length(gradient))
                .isLessThan(1e-4);
          });
    }
  }

  @Test
  void addUpOverCollectorsUntilTheStep() {
    try (Accelerator device = Accelerator.cpu();
        Gated2Launcher launcher = Gated2Launcher.on(device);
        Model model = Model.newInstance("layer", "PyTorch")) {
      model.setBlock(
          PowerAttentionBlock.builder()
              .setOperator(launcher.operator())
              .setWidth(WIDTH)
              .setHeads(2)
              .build());
      try (Trainer trainer = PowerAttentionTrainer.of(model, config())) {
        Shape shape = new Shape(1, 10, WIDTH);
        trainer.initialize(shape);
        NDArray input = trainer.getManager().randomNormal(shape);
        Parameter weight = model.getBlock().getParameters().get("01queries_weight");
        float[] once = backward(trainer, input, weight);
        float[] twice = backward(trainer, input, weight);
        for (int i = 0; i < once.length; i++) {
          assertThat(twice[i]).isWithin(1e-5f).of(2 * once[i]);
        }
        assertThat(length(once)).isGreaterThan(1e-4);
      }
    }
  }

  private static float[] backward(Trainer trainer, NDArray input, Parameter weight) {
    try (GradientCollector collector = trainer.newGradientCollector()) {
      collector.backward(trainer.forward(new NDList(input)).singletonOrThrow().square().sum());
    }
    return weight.getArray().getGradient().toFloatArray();
  }

  static DefaultTrainingConfig config() {
    return new DefaultTrainingConfig(Loss.l2Loss());
  }

  private static PowerAttentionOperator operator(String name, Accelerator device) {
    return switch (name) {
      case "Gated2" -> Gated2Launcher.on(device).operator();
      case "Ungated2" -> Ungated2Launcher.on(device).operator();
      case "Gated1" -> Gated1Launcher.on(device).operator();
      default -> throw new IllegalArgumentException(name);
    };
  }

  /** Returns all gradients and sets them to zero. */
  private static Map<String, float[]> takeGradients(
      NDArray input, List<PowerAttentionBlock> blocks) {
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    arrays.put("input", input);
    for (int i = 0; i < blocks.size(); i++) {
      for (var parameter : blocks.get(i).getParameters()) {
        arrays.put(i + "." + parameter.getKey(), parameter.getValue().getArray());
      }
    }
    Map<String, float[]> gradients = new LinkedHashMap<>();
    arrays.forEach(
        (name, array) -> {
          NDArray gradient = array.getGradient();
          gradients.put(name, gradient.toFloatArray());
          gradient.subi(gradient.duplicate());
        });
    return gradients;
  }

  private static double length(float[] values) {
    return distance(values, new float[values.length]);
  }

  private static double distance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
    }
    return Math.sqrt(sum);
  }
}
