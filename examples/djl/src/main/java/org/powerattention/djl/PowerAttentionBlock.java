package org.powerattention.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.ConstantInitializer;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.PowerAttentionOperator;
import org.powerattention.runtime.ServeOptions;
import org.powerattention.runtime.Tensor;

/**
 * A causal attention layer over a generated launcher: {@code [b, t, width]} in and out, float32.
 *
 * <p>Linear projections make queries, keys, values and, for a gated operator, one log gate for each
 * key/value head, {@code log sigmoid(w x + b)}; optionally a rotary position embedding turns
 * queries and keys; optionally each head's output is normalised; a last projection joins the heads.
 *
 * <p>To train, use a {@link PowerAttentionTrainer}: gradients go through the operator's own
 * backward. To generate, call it within {@link AttentionMemory#read}. Otherwise it takes whole
 * sequences. Parameters are saved and loaded as those of any DJL block. One with a launcher on the
 * CPU in {@code FP32} shares its memory with DJL; {@link #describeTransfer} tells where others
 * copy. The launcher has to stay open.
 */
public final class PowerAttentionBlock extends AbstractBlock {
  private static final byte VERSION = 1;

  private final PowerAttentionOperator operator;
  private final TensorExchange exchange;
  private final long width;
  private final int queryHeads;
  private final int keyHeads;
  private final int headDim;
  private final @Nullable RotaryEmbedding rotary;
  private final Linear queries;
  private final Linear keys;
  private final Linear values;
  private final @Nullable Linear gates;
  private final @Nullable LayerNorm headNorm;
  private final Linear output;

  PowerAttentionBlock(PowerAttentionBlockBuilder builder) {
    super(VERSION);
    KernelSpec spec = builder.operator().spec();
    this.operator = builder.operator();
    this.exchange = new TensorExchange(operator.accelerator(), spec.dtype());
    this.width = builder.width();
    this.queryHeads = builder.queryHeads();
    this.keyHeads = builder.keyHeads();
    this.headDim = spec.headDim();
    this.rotary = builder.rotary();
    this.queries = addChildBlock("queries", linear((long) queryHeads * headDim, false));
    this.keys = addChildBlock("keys", linear((long) keyHeads * headDim, false));
    this.values = addChildBlock("values", linear((long) keyHeads * headDim, false));
    this.gates = spec.gated() ? addChildBlock("gates", linear(keyHeads, true)) : null;
    if (gates != null) {
      double gate = builder.initialGate();
      gates.setInitializer(new ConstantInitializer((float) Math.log(gate / (1 - gate))), "bias");
    }
    this.headNorm =
        builder.headNorm() ? addChildBlock("headNorm", LayerNorm.builder().axis(3).build()) : null;
    this.output = addChildBlock("output", linear(width, false));
  }

  /** Returns a builder. */
  public static PowerAttentionBlockBuilder builder() {
    return new PowerAttentionBlockBuilder();
  }

  /** Returns what the launcher's declaration denotes. */
  public KernelSpec spec() {
    return operator.spec();
  }

  /** Tells in words whether DJL and the operator share memory, and if not, why. */
  public String describeTransfer() {
    return exchange.describe();
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameters,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    NDArray x = inputs.singletonOrThrow();
    Shape shape = x.getShape();
    check(shape, x.getDataType());
    int batch = Math.toIntExact(shape.get(0));
    int tokens = Math.toIntExact(shape.get(1));
    AttentionMemory memory = AttentionMemory.current();
    if (training && memory != null) {
      throw new IllegalStateException(
          "PowerAttentionBlock was called in training mode within AttentionMemory.read; states hold"
              + " no gradients. Call with training = false, or outside of read");
    }
    AttentionMemory.Remembered remembered =
        memory == null ? null : memory.of(this, operator, batch, keyHeads);
    long start = remembered == null ? 0 : remembered.tokens();

    AttentionInputs attention = project(parameters, x, start, training);
    NDArray y;
    if (training) {
      y = GradientRecorder.current("PowerAttentionBlock").attention(operator, exchange, attention);
    } else {
      y = infer(attention, remembered);
    }
    if (headNorm != null) {
      y = headNorm.forward(parameters, new NDList(y), training).singletonOrThrow();
    }
    NDArray joined = y.reshape(batch, tokens, (long) queryHeads * headDim);
    return output.forward(parameters, new NDList(joined), training);
  }

  private AttentionInputs project(
      ParameterStore parameters, NDArray x, long start, boolean training) {
    NDArray q = heads(parameters, queries, x, queryHeads, training);
    NDArray k = heads(parameters, keys, x, keyHeads, training);
    NDArray v = heads(parameters, values, x, keyHeads, training);
    if (rotary != null) {
      int tokens = Math.toIntExact(x.getShape().get(1));
      RotaryEmbedding.Turn turn = rotary.at(x.getManager(), start, tokens);
      q = turn.apply(q);
      k = turn.apply(k);
    }
    NDArray logG = null;
    if (gates != null) {
      NDArray logits = gates.forward(parameters, new NDList(x), training).singletonOrThrow();
      logG = Activation.softPlus(logits.neg()).neg();
    }
    return new AttentionInputs(q, k, v, logG);
  }

  private NDArray heads(
      ParameterStore parameters, Linear projection, NDArray x, int count, boolean training) {
    Shape shape = x.getShape();
    return projection
        .forward(parameters, new NDList(x), training)
        .singletonOrThrow()
        .reshape(shape.get(0), shape.get(1), count, headDim);
  }

  private NDArray infer(AttentionInputs inputs, AttentionMemory.@Nullable Remembered remembered) {
    NDManager manager = inputs.q().getManager();
    try (Tensor q = exchange.read(inputs.q());
        Tensor k = exchange.read(inputs.k());
        Tensor v = exchange.read(inputs.v());
        Tensor logG = exchange.readGates(inputs.logG());
        TensorExchange.Result y = exchange.result(manager, inputs.q().getShape())) {
      if (remembered == null) {
        operator.forwardInto(y.tensor(), q, k, v, logG, ForwardOptions.defaults());
      } else if (inputs.tokens() == 1) {
        operator.decodeInto(y.tensor(), remembered.state(), q, k, v, logG, ServeOptions.defaults());
      } else {
        operator.prefillInto(
            y.tensor(), remembered.state(), q, k, v, logG, ServeOptions.defaults());
      }
      if (remembered != null) {
        remembered.add(inputs.tokens());
      }
      return y.array();
    }
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return output.getOutputShapes(inputShapes);
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    Shape input = inputShapes[0];
    check(input, dataType);
    List<Linear> projections = new ArrayList<>(List.of(queries, keys, values));
    if (gates != null) {
      projections.add(gates);
    }
    for (Linear projection : projections) {
      projection.initialize(manager, dataType, input);
    }
    if (headNorm != null) {
      headNorm.initialize(
          manager, dataType, new Shape(input.get(0), input.get(1), queryHeads, headDim));
    }
    output.initialize(
        manager, dataType, new Shape(input.get(0), input.get(1), (long) queryHeads * headDim));
  }

  private void check(Shape input, DataType dataType) {
    if (input.dimension() != 3 || input.get(2) != width) {
      throw new IllegalArgumentException(
          "input of shape " + input + "; needed: [batch, tokens, width = " + width + "]");
    }
    // Over bfloat16, PyTorch on the CPU would end the JVM.
    if (dataType != DataType.FLOAT32) {
      throw new IllegalArgumentException(
          "input or parameters of type "
              + dataType
              + "; needed: float32, from which a launcher"
              + " of BF16 or FP16 rounds by itself");
    }
  }

  private static Linear linear(long units, boolean bias) {
    return Linear.builder().setUnits(units).optBias(bias).build();
  }
}
