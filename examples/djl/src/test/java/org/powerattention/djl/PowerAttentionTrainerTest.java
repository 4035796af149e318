package org.powerattention.djl;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.runtime.Accelerator;

final class PowerAttentionTrainerTest {
  private static final Shape SHAPE = new Shape(4, 12, 8);

  private final Accelerator device = Accelerator.cpu();
  private final Gated2Launcher launcher = Gated2Launcher.on(device);
  private final Model model = Model.newInstance("model", "PyTorch");

  @BeforeEach
  void build() {
    model.setBlock(block());
  }

  private SequentialBlock block() {
    return new SequentialBlock()
        .add(Linear.builder().setUnits(8).build())
        .add(
            PowerAttentionBlock.builder()
                .setOperator(launcher.operator())
                .setWidth(8)
                .setHeads(2)
                .build())
        .add(Linear.builder().setUnits(8).build());
  }

  @AfterEach
  void close() {
    model.close();
    device.close();
  }

  @Test
  void easyTrainTrainsWhatIsInFrontOfTheLayer() throws Exception {
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(Loss.l2Loss())
            .optOptimizer(Optimizer.adam().optLearningRateTracker(Tracker.fixed(0.01f)).build());
    try (Trainer trainer = PowerAttentionTrainer.of(model, config)) {
      trainer.initialize(SHAPE);
      NDArray data = trainer.getManager().randomNormal(new Shape(16, 12, 8));
      // The running mean is what attention that weighs all alike computes.
      NDArray labels = data.cumSum(1).div(trainer.getManager().arange(1f, 13f).reshape(1, 12, 1));
      ArrayDataset dataset =
          new ArrayDataset.Builder().setData(data).optLabels(labels).setSampling(4, false).build();
      float[] before = firstWeight();
      double lossBefore = loss(trainer, data, labels);
      EasyTrain.fit(trainer, 10, dataset, null);
      assertThat(loss(trainer, data, labels)).isLessThan(0.5 * lossBefore);
      assertThat(firstWeight()).isNotEqualTo(before);
    }
  }

  @Test
  void aSavedModelIsLoadedAndTrainedOn(@TempDir Path directory) throws Exception {
    float[] written;
    NDList input;
    try (Trainer trainer = PowerAttentionTrainer.of(model, GradientsTest.config())) {
      trainer.initialize(SHAPE);
      input = new NDList(model.getNDManager().randomNormal(SHAPE));
      written = trainer.evaluate(input).singletonOrThrow().toFloatArray();
      model.save(directory, "model");
    }
    try (Model loaded = Model.newInstance("model", "PyTorch")) {
      loaded.setBlock(block());
      loaded.load(directory, "model");
      try (Trainer trainer = PowerAttentionTrainer.of(loaded, GradientsTest.config())) {
        trainer.initialize(SHAPE);
        float[] read = trainer.evaluate(input).singletonOrThrow().toFloatArray();
        assertThat(read).isEqualTo(written);
        try (GradientCollector collector = trainer.newGradientCollector()) {
          collector.backward(trainer.forward(input).singletonOrThrow().square().sum());
        }
        trainer.step();
        for (var parameter : loaded.getBlock().getParameters().values()) {
          assertThat(parameter.requiresGradient()).isTrue();
        }
        float[] trained = trainer.evaluate(input).singletonOrThrow().toFloatArray();
        assertThat(trained).isNotEqualTo(written);
      }
    }
  }

  @Test
  void anotherTrainerIsRefused() {
    try (Trainer trainer = model.newTrainer(GradientsTest.config())) {
      trainer.initialize(SHAPE);
      NDList input = new NDList(trainer.getManager().ones(SHAPE));
      try (GradientCollector collector = trainer.newGradientCollector()) {
        Exception e = assertThrows(IllegalStateException.class, () -> trainer.forward(input));
        assertThat(e).hasMessageThat().contains("PowerAttentionTrainer.of(model, config)");
        assertThat(trainer.evaluate(input).singletonOrThrow().getShape()).isEqualTo(SHAPE);
        collector.zeroGradients();
      }
    }
  }

  @Test
  void backwardIsCalledOnce() {
    try (Trainer trainer = PowerAttentionTrainer.of(model, GradientsTest.config())) {
      trainer.initialize(SHAPE);
      NDList input = new NDList(trainer.getManager().ones(SHAPE));
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDArray y = trainer.forward(input).singletonOrThrow();
        collector.backward(y.sum());
        Exception again =
            assertThrows(IllegalStateException.class, () -> collector.backward(y.mean()));
        assertThat(again).hasMessageThat().contains("call it once");
        assertThrows(IllegalStateException.class, () -> trainer.forward(input));
      }
      // The next collector starts anew.
      try (GradientCollector collector = trainer.newGradientCollector()) {
        collector.backward(trainer.forward(input).singletonOrThrow().sum());
      }
    }
  }

  @Test
  void anotherThreadIsRefused() {
    try (Trainer trainer = PowerAttentionTrainer.of(model, GradientsTest.config())) {
      trainer.initialize(SHAPE);
      NDList input = new NDList(trainer.getManager().ones(SHAPE));
      try (GradientCollector collector = trainer.newGradientCollector()) {
        CompletableFuture<NDList> elsewhere =
            CompletableFuture.supplyAsync(() -> trainer.forward(input));
        Exception e = assertThrows(CompletionException.class, elsewhere::join);
        assertThat(e).hasMessageThat().contains("while gradients are collected on");
        collector.backward(trainer.forward(input).singletonOrThrow().sum());
      }
    }
  }

  private float[] firstWeight() {
    return model.getBlock().getParameters().valueAt(0).getArray().toFloatArray();
  }

  private static double loss(Trainer trainer, NDArray data, NDArray labels) {
    NDArray y = trainer.evaluate(new NDList(data)).singletonOrThrow();
    return y.sub(labels).square().mean().getFloat();
  }
}
