package org.powerattention.djl;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Tensor;

/** What a model's author may do out of order: it works, or an exception says what to do. */
final class MisuseTest {
  private static final Shape SHAPE = new Shape(2, 9, 8);

  private final Accelerator device = Accelerator.cpu();
  private final Gated2Launcher launcher = Gated2Launcher.on(device);
  private final Model model = Model.newInstance("model", "PyTorch");
  private final NDManager manager = model.getNDManager();
  private boolean failing;

  @BeforeEach
  void build() {
    model.setBlock(
        new SequentialBlock()
            .add(layer())
            .add(
                new LambdaBlock(
                    list -> {
                      if (failing) {
                        throw new ArithmeticException("on purpose");
                      }
                      return list;
                    }))
            .add(Linear.builder().setUnits(8).build())
            .add(layer()));
  }

  private PowerAttentionBlock layer() {
    return PowerAttentionBlock.builder()
        .setOperator(launcher.operator())
        .setWidth(8)
        .setHeads(2)
        .build();
  }

  @AfterEach
  void close() {
    model.close();
    device.close();
  }

  private Trainer trainer() {
    Trainer trainer = PowerAttentionTrainer.of(model, GradientsTest.config());
    trainer.initialize(SHAPE);
    return trainer;
  }

  private NDList input() {
    return new NDList(manager.arange(144f).reshape(SHAPE).sin());
  }

  /** Runs a step up to the gradients, takes them, and sets them to zero. */
  private Map<String, float[]> gradients(Trainer trainer) {
    try (GradientCollector collector = trainer.newGradientCollector()) {
      collector.backward(trainer.forward(input()).singletonOrThrow().square().sum());
    }
    Map<String, float[]> gradients = new TreeMap<>();
    for (var pair : model.getBlock().getParameters()) {
      if (pair.getValue().requiresGradient()) {
        NDArray gradient = pair.getValue().getArray().getGradient();
        gradients.put(pair.getKey(), gradient.toFloatArray());
        gradient.subi(gradient.duplicate());
      }
    }
    return gradients;
  }

  private static void assertSame(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual.keySet()).isEqualTo(expected.keySet());
    expected.forEach((name, gradient) -> assertThat(actual.get(name)).isEqualTo(gradient));
  }

  @Test
  void aSecondCollectorIsRefusedAndTheFirstGoesOn() {
    try (Trainer trainer = trainer();
        GradientCollector first = trainer.newGradientCollector()) {
      assertThrows(IllegalStateException.class, trainer::newGradientCollector);
      assertThrows(IllegalStateException.class, () -> manager.getEngine().newGradientCollector());
      first.backward(trainer.forward(input()).singletonOrThrow().sum());
      NDArray weight = model.getBlock().getParameters().valueAt(0).getArray();
      assertThat(weight.getGradient().norm().getFloat()).isGreaterThan(0);
    }
  }

  @Test
  void afterAnExceptionTrainingGoesOnAsIfNothingHadBeen() {
    try (Trainer trainer = trainer()) {
      Map<String, float[]> expected = gradients(trainer);
      failing = true;
      assertThrows(ArithmeticException.class, () -> gradients(trainer));
      failing = false;
      assertSame(gradients(trainer), expected);
    }
  }

  @Test
  void whatIsFrozenGetsNoGradientAndAllElseTheSame() {
    try (Trainer trainer = trainer()) {
      Map<String, float[]> expected = gradients(trainer);
      // The whole first layer: nothing that its call depends on has a gradient then.
      model.getBlock().getChildren().valueAt(0).freezeParameters(true);
      Map<String, float[]> actual = gradients(trainer);
      assertThat(actual.size()).isLessThan(expected.size());
      expected.keySet().retainAll(actual.keySet());
      assertThat(actual).isNotEmpty();
      assertSame(actual, expected);
    }
  }

  @Test
  void aLayerWhoseOutputIsNotUsedGetsZeros() {
    try (Trainer trainer = trainer();
        GradientCollector collector = trainer.newGradientCollector()) {
      ParameterStore parameters = new ParameterStore(manager, false);
      NDList input = input();
      model.getBlock().getChildren().valueAt(0).forward(parameters, input, true);
      NDList used = model.getBlock().getChildren().valueAt(3).forward(parameters, input, true);
      collector.backward(used.singletonOrThrow().sum());
      for (int layer : new int[] {0, 3}) {
        Parameter values =
            model.getBlock().getChildren().valueAt(layer).getParameters().get("03values_weight");
        assertThat(values.getArray().getGradient().norm().getFloat() == 0).isEqualTo(layer == 0);
      }
    }
  }

  @Test
  void arraysClosedBeforeBackwardAreReported() {
    try (Trainer trainer = trainer();
        GradientCollector collector = trainer.newGradientCollector()) {
      NDArray loss;
      try (NDManager scratch = manager.newSubManager()) {
        NDList input = input();
        input.attach(scratch);
        loss = trainer.forward(input).singletonOrThrow().sum();
        loss.attach(manager);
      }
      assertThat(assertThrows(IllegalStateException.class, () -> collector.backward(loss)))
          .hasMessageThat()
          .contains("closed already");
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT16", "BFLOAT16", "FLOAT64"})
  void otherTypesThanFloat32AreRefused(DataType type) {
    assertRefused("needed: float32", () -> layer().initialize(manager, type, SHAPE));
    // An array of bfloat16 ends the JVM as soon as the CPU engine makes it.
    if (type != DataType.BFLOAT16) {
      PowerAttentionBlock block = initialised();
      NDList input = new NDList(manager.zeros(SHAPE, type));
      assertRefused("needed: float32", () -> infer(block, input));
    }
    model.setDataType(type);
    try (Trainer trainer = PowerAttentionTrainer.of(model, GradientsTest.config())) {
      assertRefused("needed: float32", () -> trainer.initialize(SHAPE));
    }
  }

  @Test
  void otherShapesAreRefused() {
    String needed = "needed: [batch, tokens, width = 8]";
    assertRefused(needed, () -> layer().initialize(manager, DataType.FLOAT32, new Shape(2, 9, 7)));
    PowerAttentionBlock block = initialised();
    assertRefused(needed, () -> infer(block, new NDList(manager.ones(new Shape(2, 9, 7)))));
    assertRefused(needed, () -> infer(block, new NDList(manager.ones(new Shape(9, 8)))));
    assertRefused("0", () -> infer(block, new NDList(manager.ones(new Shape(1, 0, 8)))));
  }

  @Test
  void arraysThatAreNotContiguousAreReadAsTheyAre() {
    NDArray array = manager.arange(12f).reshape(3, 4);
    TensorExchange exchange = new TensorExchange(device, DType.FP32);
    try (Tensor turned = exchange.read(array.transpose());
        Tensor column = exchange.read(array.get(":, 1:2"));
        Tensor spread = exchange.read(manager.create(7f).broadcast(new Shape(3)))) {
      assertThat(turned.toFloats())
          .usingExactEquality()
          .containsExactly(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11)
          .inOrder();
      assertThat(column.toFloats()).usingExactEquality().containsExactly(1, 5, 9).inOrder();
      assertThat(spread.toFloats()).usingExactEquality().containsExactly(7, 7, 7).inOrder();
    }
  }

  @Test
  void aClosedLauncherIsReported() {
    PowerAttentionBlock block = initialised();
    launcher.close();
    assertThat(assertThrows(IllegalStateException.class, () -> infer(block, input())))
        .hasMessageThat()
        .contains("closed");
  }

  @Test
  void aMemoryThatIsClosedOrTornIsRefused() {
    model.getBlock().initialize(manager, DataType.FLOAT32, SHAPE);
    ParameterStore parameters = new ParameterStore(manager, false);
    AttentionMemory memory = new AttentionMemory();
    memory.read(() -> model.getBlock().forward(parameters, input(), false));
    failing = true;
    // The first layer has read the tokens then, the last has not.
    assertThrows(
        ArithmeticException.class,
        () -> memory.read(() -> model.getBlock().forward(parameters, input(), false)));
    failing = false;
    assertThat(assertThrows(IllegalStateException.class, () -> memory.read(() -> 1)))
        .hasMessageThat()
        .contains("reset this AttentionMemory");
    memory.reset();
    assertThat(memory.<Integer>read(() -> 1)).isEqualTo(1);
    assertThat(
            assertThrows(
                IllegalStateException.class,
                () -> memory.read(() -> model.getBlock().forward(parameters, input(), true))))
        .hasMessageThat()
        .contains("training = false");
    memory.close();
    assertThat(assertThrows(IllegalStateException.class, () -> memory.read(() -> 1)))
        .hasMessageThat()
        .contains("closed");
  }

  private PowerAttentionBlock initialised() {
    PowerAttentionBlock block = layer();
    block.initialize(manager, DataType.FLOAT32, SHAPE);
    return block;
  }

  private NDList infer(PowerAttentionBlock block, NDList input) {
    return block.forward(new ParameterStore(manager, false), input, false);
  }

  private static void assertRefused(String message, Executable call) {
    assertThat(assertThrows(IllegalArgumentException.class, call))
        .hasMessageThat()
        .contains(message);
  }
}
