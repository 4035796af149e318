package org.powerattention.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.List;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.PowerAttentionOperator;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.Tensor;

/** A forward call of which the backward call is still to come. */
final class RecordedAttention implements GradientRecorder.Break {
  private final PowerAttentionOperator operator;
  private final TensorExchange exchange;
  private final AttentionInputs inputs;
  private final SavedForward saved;
  private final NDArray output;

  RecordedAttention(
      PowerAttentionOperator operator, TensorExchange exchange, AttentionInputs inputs) {
    this.operator = operator;
    this.exchange = exchange;
    this.inputs = inputs;
    this.saved = operator.newSavedForward(inputs.batch(), inputs.tokens(), inputs.queryHeads());
    NDArray q = inputs.q();
    try (Tensor qTensor = exchange.read(q);
        Tensor k = exchange.read(inputs.k());
        Tensor v = exchange.read(inputs.v());
        Tensor logG = exchange.readGates(inputs.logG());
        TensorExchange.Result y = exchange.result(q.getManager(), q.getShape())) {
      operator.forwardInto(y.tensor(), qTensor, k, v, logG, ForwardOptions.defaults().save(saved));
      output = y.array();
      output.setRequiresGradient(true);
    } catch (RuntimeException | Error e) {
      saved.close();
      throw e;
    }
  }

  /** Returns y, a leaf of PyTorch's graph. */
  NDArray output() {
    return output;
  }

  @Override
  public void passOn() {
    try (NDManager scratch = output.getManager().newSubManager()) {
      NDArray dY = output.getGradient();
      dY.attach(scratch);
      NDArray logGArray = inputs.logG();
      try (Tensor q = exchange.read(inputs.q());
          Tensor k = exchange.read(inputs.k());
          Tensor v = exchange.read(inputs.v());
          Tensor logG = exchange.readGates(logGArray);
          Tensor dYTensor = exchange.read(dY);
          TensorExchange.Result dQ = exchange.result(scratch, inputs.q().getShape());
          TensorExchange.Result dK = exchange.result(scratch, inputs.k().getShape());
          TensorExchange.Result dV = exchange.result(scratch, inputs.v().getShape());
          TensorExchange.Result dLogG =
              logGArray == null ? null : exchange.gateResult(scratch, logGArray.getShape())) {
        Gradients gradients =
            Gradients.of(
                dQ.tensor(), dK.tensor(), dV.tensor(), dLogG == null ? null : dLogG.tensor(), null);
        operator.backwardInto(
            gradients, q, k, v, logG, dYTensor, BackwardOptions.defaults().saved(saved));
        List<NDArray> arrays = new ArrayList<>(List.of(inputs.q(), inputs.k(), inputs.v()));
        List<NDArray> results = new ArrayList<>(List.of(dQ.array(), dK.array(), dV.array()));
        if (logGArray != null && dLogG != null) {
          arrays.add(logGArray);
          results.add(dLogG.array());
        }
        GradientRecorder.backward(scratch, arrays, results);
      }
    }
  }

  @Override
  public void close() {
    saved.close();
  }
}
