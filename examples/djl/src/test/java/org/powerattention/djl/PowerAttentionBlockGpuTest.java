package org.powerattention.djl;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.powerattention.runtime.Accelerator;

/**
 * A launcher on a GPU beside DJL on the CPU: all passes through the host, with the same results.
 */
@Tag("gpu")
final class PowerAttentionBlockGpuTest {
  private static final int WIDTH = 24;
  private static final Shape SHAPE = new Shape(2, 200, WIDTH);

  private final Accelerator cpu = Accelerator.cpu();
  private final Model model = Model.newInstance("model", "PyTorch");
  private final NDManager manager = model.getNDManager();

  @BeforeEach
  void needsAGpu() {
    String missing = Accelerator.cudaUnavailable().orElse("");
    Assumptions.assumeTrue(missing.isEmpty(), missing);
  }

  @AfterEach
  void close() {
    model.close();
    cpu.close();
  }

  @Test
  void trainsAndGeneratesAsOnTheCpu() {
    try (Accelerator gpu = Accelerator.cuda(0);
        Gated2Launcher there = Gated2Launcher.on(gpu);
        Gated2Launcher here = Gated2Launcher.on(cpu)) {
      PowerAttentionBlock actual = block(there);
      PowerAttentionBlock expected = block(here);
      for (int i = 0; i < expected.getParameters().size(); i++) {
        NDArray from = expected.getParameters().valueAt(i).getArray();
        from.copyTo(actual.getParameters().valueAt(i).getArray());
      }
      assertThat(actual.describeTransfer()).contains("through the host");

      NDArray x = manager.randomNormal(SHAPE);
      assertClose("y", infer(actual, x), infer(expected, x));

      try (AttentionMemory memory = new AttentionMemory()) {
        NDList parts = new NDList();
        parts.add(memory.read(() -> infer(actual, x.get(":, :190"))));
        for (int t = 190; t < 200; t++) {
          NDArray token = x.get(":, " + t + ":" + (t + 1));
          parts.add(memory.read(() -> infer(actual, token)));
        }
        assertClose("y token by token", NDArrays.concat(parts, 1), infer(expected, x));
      }

      backward(actual, x);
      backward(expected, x);
      for (var parameter : expected.getParameters()) {
        String name = parameter.getKey();
        assertClose(
            "d" + name,
            actual.getParameters().get(name).getArray().getGradient(),
            parameter.getValue().getArray().getGradient());
      }
    }
  }

  private PowerAttentionBlock block(Gated2Launcher launcher) {
    PowerAttentionBlock block =
        PowerAttentionBlock.builder()
            .setOperator(launcher.operator())
            .setWidth(WIDTH)
            .setHeads(4)
            .optKeyHeads(2)
            .optInitialGate(0.9)
            .optRotaryEmbedding(10_000)
            .build();
    block.initialize(manager, DataType.FLOAT32, SHAPE);
    return block;
  }

  private NDArray infer(PowerAttentionBlock block, NDArray x) {
    ParameterStore parameters = new ParameterStore(manager, false);
    return block.forward(parameters, new NDList(x), false).singletonOrThrow();
  }

  private void backward(PowerAttentionBlock block, NDArray x) {
    model.setBlock(block);
    try (Trainer trainer = PowerAttentionTrainer.of(model, GradientsTest.config());
        GradientCollector collector = trainer.newGradientCollector()) {
      NDArray y =
          block.forward(new ParameterStore(manager, false), new NDList(x), true).singletonOrThrow();
      collector.backward(y.tanh().sum());
    }
  }

  private static void assertClose(String what, NDArray actual, NDArray expected) {
    float length = expected.norm().getFloat();
    assertWithMessage("length of " + what).that(length).isGreaterThan(1e-3f);
    assertWithMessage("error of " + what)
        .that(actual.sub(expected).norm().getFloat() / length)
        .isLessThan(1e-4f);
  }
}
