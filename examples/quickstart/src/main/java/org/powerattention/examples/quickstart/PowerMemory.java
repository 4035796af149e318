package org.powerattention.examples.quickstart;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * A memory in the state of a power attention operator: the state is all that passes from {@link
 * #memorise} to {@link #recall}, and its size does not depend on how much is stored.
 */
final class PowerMemory implements AssociativeMemory {
  /** The call that the three generated launchers have in common. */
  @FunctionalInterface
  interface Operator {
    Tensor forward(Tensor q, Tensor k, Tensor v, ForwardOptions options);
  }

  /** A key asked for weighs 1: the scale is 1 and keys have length 1. */
  private static final ForwardOptions OPTIONS =
      ForwardOptions.defaults().scale(1).form(Form.CHUNKED);

  private final Accelerator device;
  private final KernelSpec spec;
  private final Operator operator;
  private final State state;

  PowerMemory(Accelerator device, KernelSpec spec, Operator operator, State state) {
    this.device = device;
    this.spec = spec;
    this.operator = operator;
    this.state = state;
  }

  @Override
  public String name() {
    return "degree " + spec.degree();
  }

  @Override
  public void memorise(float[] keys, float[] values) {
    // Nothing is asked yet: the queries are zero, and the answers are dropped.
    try (Tensor q = zeros(keys);
        Tensor k = tensor(keys);
        Tensor v = tensor(values);
        Tensor y = operator.forward(q, k, v, OPTIONS.finalState(state))) {
      y.accelerator().synchronize();
    }
  }

  @Override
  public float[] recall(float[] queries) {
    // Nothing is added: a key of zero weighs (scale * <q, 0>)^p = 0 with every query.
    try (Tensor q = tensor(queries);
        Tensor k = zeros(queries);
        Tensor v = zeros(queries);
        Tensor y = operator.forward(q, k, v, OPTIONS.initialState(state))) {
      return y.toFloats();
    }
  }

  @Override
  public long bytes() {
    return state.bytes();
  }

  @Override
  public void close() {
    state.close();
  }

  private Tensor tensor(float[] vectors) {
    return device.tensor(spec.dtype(), vectors, shape(vectors));
  }

  private Tensor zeros(float[] like) {
    return device.zeros(spec.dtype(), shape(like));
  }

  /** One sequence of one head: {@code [b, t, h, d]}. */
  private long[] shape(float[] vectors) {
    return new long[] {1, vectors.length / spec.headDim(), 1, spec.headDim()};
  }
}
