package org.powerattention.examples.incontext;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.initializer.XavierInitializer;
import ai.djl.training.loss.Loss;
import ai.djl.training.loss.SoftmaxCrossEntropyLoss;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.djl.PowerAttentionTrainer;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.PowerAttentionOperator;

/** A model of one arm with its optimiser; new, or brought to where a checkpoint left it. */
final class TrainedModel implements AutoCloseable {
  private final Size size;
  private final Task task;
  private final Arm arm;
  private final @Nullable PowerAttentionOperator operator;
  private final Model model;
  private final List<Block> attentions = new ArrayList<>();
  private final ResumableAdam optimizer;
  private final Trainer trainer;

  TrainedModel(Size size, Task task, Arm arm, int seed, Accelerator device) {
    this.size = size;
    this.task = task;
    this.arm = arm;
    this.operator = arm.load(size, device);
    this.model = Model.newInstance(arm.key(), "PyTorch");
    this.optimizer = new ResumableAdam(task.learningRate(), task.steps());
    for (int i = 0; i < size.layers(); i++) {
      attentions.add(arm.layer(size, task.rotary(), operator));
    }
    model.setBlock(new Backbone(size.width(), task.vocabulary(), attentions, task.stride()));
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new SoftmaxCrossEntropyLoss("loss", 1, -1, true, true))
            .optInitializer(
                new XavierInitializer(
                    XavierInitializer.RandomType.GAUSSIAN, XavierInitializer.FactorType.IN, 1),
                Parameter.Type.WEIGHT)
            .optOptimizer(optimizer);
    this.trainer = PowerAttentionTrainer.of(model, config);
    model.getNDManager().getEngine().setRandomSeed(seed);
    Shape shape = new Shape(1, task.length());
    trainer.initialize(shape, shape);
  }

  Size size() {
    return size;
  }

  Task task() {
    return task;
  }

  Arm arm() {
    return arm;
  }

  Block block() {
    return model.getBlock();
  }

  NDManager manager() {
    return model.getNDManager();
  }

  /** Returns the attention layers, first to last. */
  List<Block> attentions() {
    return List.copyOf(attentions);
  }

  /** Takes one optimiser step, counted from 1, and returns the loss before it, in nats. */
  double step(int step, Documents documents) {
    optimizer.begin(step);
    double loss;
    try (NDManager scratch = manager().newSubManager()) {
      NDList labels = new NDList(labels(scratch, documents));
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList logits = trainer.forward(inputs(scratch, documents));
        Loss cross = trainer.getLoss();
        NDArray target = cross.evaluate(labels, logits);
        loss = target.getFloat();
        collector.backward(target);
      }
    }
    trainer.step();
    return loss;
  }

  /** Returns the mean loss at each scored position, in nats. */
  double[] lossByPosition(Documents documents) {
    double[] sums = null;
    for (int first = 0; first < documents.count(); first += task.batch()) {
      int last = Math.min(documents.count(), first + task.batch());
      Documents part = new Documents(Arrays.copyOfRange(documents.tokens(), first, last));
      float[] losses = losses(part);
      int positions = losses.length / part.count();
      if (sums == null) {
        sums = new double[positions];
      }
      for (int i = 0; i < losses.length; i++) {
        sums[i % positions] += losses[i] / documents.count();
      }
    }
    return sums == null ? new double[0] : sums;
  }

  private float[] losses(Documents documents) {
    try (NDManager scratch = manager().newSubManager()) {
      NDArray logits = trainer.evaluate(inputs(scratch, documents)).singletonOrThrow();
      NDArray labels = labels(scratch, documents);
      return logits.logSoftmax(2).gather(labels, 2).neg().toFloatArray();
    }
  }

  /** Returns the tokens [b, t] and those before them. */
  private NDList inputs(NDManager manager, Documents documents) {
    int length = documents.length();
    return new NDList(
        numbers(manager, documents, 1, length, 1), numbers(manager, documents, 0, length, 1));
  }

  /** Returns the token after each scored one, [b, t / stride, 1]. */
  private NDArray labels(NDManager manager, Documents documents) {
    int count = (documents.length() + task.stride() - 1) / task.stride();
    return numbers(manager, documents, 2, count, task.stride()).expandDims(2);
  }

  private static NDArray numbers(
      NDManager manager, Documents documents, int from, int count, int stride) {
    long[] numbers = new long[documents.count() * count];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = documents.tokens()[i / count][from + i % count * stride];
    }
    return manager.create(numbers, new Shape(documents.count(), count));
  }

  /** Returns all that a run goes on from: parameters, then the optimiser's moments. */
  List<NDArray> state() {
    List<Parameter> parameters = block().getParameters().values();
    List<NDArray> arrays = new ArrayList<>();
    parameters.forEach(parameter -> arrays.add(parameter.getArray()));
    arrays.addAll(optimizer.moments(parameters));
    return arrays;
  }

  /** Returns the number of parameters. */
  long parameters() {
    return block().getParameters().values().stream()
        .mapToLong(parameter -> parameter.getArray().size())
        .sum();
  }

  /** Returns the FLOPs per token, forward, that go into products with parameters. */
  double weightFlops() {
    long table = (long) task.vocabulary() * size.width() / 2;
    long head = (long) task.vocabulary() * size.width();
    // Embeddings are looked up; the head is only applied to scored tokens.
    return 2.0 * (parameters() - table - head + (double) head / task.stride());
  }

  /** Returns the FLOPs per token, forward, that go into attention. */
  double stateFlops() {
    return size.layers() * arm.stateFlops(size, task.length());
  }

  @Override
  public void close() {
    trainer.close();
    model.close();
    if (operator != null) {
      operator.close();
    }
  }
}
