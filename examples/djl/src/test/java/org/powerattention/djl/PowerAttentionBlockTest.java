package org.powerattention.djl;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.PowerAttentionOperator;
import org.powerattention.runtime.Tensor;

final class PowerAttentionBlockTest {
  private static final int WIDTH = 24;

  private final Accelerator device = Accelerator.cpu();
  private final NDManager manager = NDManager.newBaseManager("PyTorch");
  private final PowerAttentionOperator operator = Gated2Launcher.on(device).operator();

  @AfterEach
  void close() {
    manager.close();
    device.close();
  }

  @Test
  void wholeSequencesAreTheFormula() {
    PowerAttentionBlock block = initialised(builder().optKeyHeads(1).build());
    NDArray x = manager.randomNormal(new Shape(2, 90, WIDTH));
    assertClose(infer(block, x), Formula.of(block, 2, 1, false).layer(x), 1e-5);
  }

  @Test
  void promptAndSingleTokensAreTheWholeSequence() {
    PowerAttentionBlock block = initialised(builder().optRotaryEmbedding(10_000).build());
    NDArray x = manager.randomNormal(new Shape(2, 90, WIDTH));
    NDArray whole = infer(block, x);
    try (AttentionMemory memory = new AttentionMemory()) {
      for (int round = 0; round < 2; round++) {
        NDList parts = new NDList();
        parts.add(memory.read(() -> infer(block, x.get(":, :80"))));
        long bytes = 0;
        for (int t = 80; t < 90; t++) {
          NDArray token = x.get(":, " + t + ":" + (t + 1));
          parts.add(memory.read(() -> infer(block, token)));
          assertThat(memory.bytes()).isEqualTo(t == 80 ? memory.bytes() : bytes);
          bytes = memory.bytes();
        }
        assertClose(NDArrays.concat(parts, 1), whole, 1e-4);
        memory.reset();
      }
      Exception e =
          assertThrows(
              IllegalArgumentException.class, () -> memory.read(() -> infer(block, x.get("0:1"))));
      assertThat(e).hasMessageThat().contains("1 sequences; this memory holds 2");
    }
    assertClose(infer(block, x), whole, 0);
  }

  @Test
  void parametersAreSavedAndLoaded() throws IOException, MalformedModelException {
    PowerAttentionBlock block = initialised(builder().build());
    NDArray x = manager.randomNormal(new Shape(1, 20, WIDTH));
    ByteArrayOutputStream saved = new ByteArrayOutputStream();
    block.saveParameters(new DataOutputStream(saved));
    PowerAttentionBlock other = initialised(builder().build());
    assertThat(distance(infer(other, x), infer(block, x))).isGreaterThan(0.1);
    other.loadParameters(
        manager, new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
    assertClose(infer(other, x), infer(block, x), 0);
  }

  @Test
  void gatesStartNearTheInitialGate() {
    PowerAttentionBlock block = initialised(builder().build());
    Parameter bias = block.getParameters().get("04gates_bias");
    for (float value : bias.getArray().toFloatArray()) {
      assertThat(1 / (1 + Math.exp(-value))).isWithin(1e-6).of(0.999);
    }
  }

  @Test
  void otherDtypesAreCopiedAndRounded() {
    PowerAttentionBlock exact = initialised(builder().build());
    PowerAttentionBlock rounded =
        initialised(builder().setOperator(Rounded2Launcher.on(device).operator()).build());
    for (int i = 0; i < exact.getParameters().size(); i++) {
      exact
          .getParameters()
          .valueAt(i)
          .getArray()
          .copyTo(rounded.getParameters().valueAt(i).getArray());
    }
    NDArray x = manager.randomNormal(new Shape(2, 50, WIDTH));
    assertClose(infer(rounded, x), infer(exact, x), 2e-2);
    assertThat(distance(infer(rounded, x), infer(exact, x))).isGreaterThan(1e-4);
    assertThat(exact.describeTransfer()).startsWith("shared");
    assertThat(rounded.describeTransfer()).contains("BF16");
  }

  @Test
  void arraysAndTensorsShareMemory() {
    TensorExchange exchange = new TensorExchange(device, DType.FP32);
    NDArray array = manager.create(new float[] {1, 2, 3, 4}, new Shape(1, 1, 1, 4));
    try (Tensor tensor = exchange.read(array);
        TensorExchange.Result result = exchange.result(manager, new Shape(4))) {
      array.addi(1);
      assertThat(tensor.toFloats()).usingExactEquality().containsExactly(2, 3, 4, 5).inOrder();
      NDArray written = result.array();
      result.tensor().copyFrom(tensor.toFloats());
      assertThat(written.toFloatArray()).usingExactEquality().containsExactly(2, 3, 4, 5).inOrder();
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    assertRefused(
        "setHeads", () -> PowerAttentionBlock.builder().setOperator(operator).setWidth(8).build());
    assertRefused(
        "keyHeads = 2 with heads = 3", () -> builder().setHeads(3).optKeyHeads(2).build());
    assertRefused("initialGate = 1.0", () -> builder().optInitialGate(1));
    assertRefused(
        "needed: [batch, tokens, width = 24]",
        () -> builder().build().initialize(manager, DataType.FLOAT32, new Shape(3, WIDTH)));
  }

  private static void assertRefused(String message, Executable call) {
    assertThat(assertThrows(IllegalArgumentException.class, call))
        .hasMessageThat()
        .contains(message);
  }

  private PowerAttentionBlockBuilder builder() {
    return PowerAttentionBlock.builder().setOperator(operator).setWidth(WIDTH).setHeads(2);
  }

  private PowerAttentionBlock initialised(PowerAttentionBlock block) {
    block.initialize(manager, DataType.FLOAT32, new Shape(1, 1, WIDTH));
    return block;
  }

  private NDArray infer(PowerAttentionBlock block, NDArray x) {
    return block
        .forward(new ParameterStore(manager, false), new NDList(x), false)
        .singletonOrThrow();
  }

  private static void assertClose(NDArray actual, NDArray expected, double tolerance) {
    assertThat(actual.getShape()).isEqualTo(expected.getShape());
    assertThat(distance(actual, expected)).isAtMost(tolerance);
  }

  private static double distance(NDArray actual, NDArray expected) {
    return actual.sub(expected).norm().getFloat() / expected.norm().getFloat();
  }
}
