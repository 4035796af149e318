package org.powerattention.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.PowerAttentionOperator;

/**
 * A gradient collector that knows the calls that PyTorch does not see. Their outputs are leaves to
 * PyTorch, so a pass from the loss leaves gradients there. From the last call to the first, the
 * operator's own backward turns each into gradients of q, k and v, and a pass from {@code <q, dq> +
 * <k, dk> + ...} adds what they pass on. A call's output gradient is complete by then, because
 * whatever it influenced through later calls has been passed on before.
 *
 * <p>Graphs are kept until their arrays are closed: of two passes along a residual connection, the
 * second would find nothing otherwise.
 */
final class GradientRecorder implements GradientCollector {
  private static final AtomicReference<@Nullable GradientRecorder> CURRENT =
      new AtomicReference<>();

  /** A break in PyTorch's graph. */
  interface Break extends AutoCloseable {
    /** Passes the gradient of what is after the break on to what is before it. */
    void passOn();

    @Override
    void close();
  }

  private final GradientCollector collector;
  private final Thread thread = Thread.currentThread();
  private final Deque<Break> breaks = new ArrayDeque<>();
  private boolean finished;

  private GradientRecorder(GradientCollector collector) {
    this.collector = collector;
  }

  /** Begins to record; {@link #close} ends it. */
  static GradientRecorder start(GradientCollector collector) {
    // There is one collector in a process, which the engine has seen to.
    GradientRecorder recorder = new GradientRecorder(collector);
    CURRENT.set(recorder);
    return recorder;
  }

  /**
   * Returns the one that records now.
   *
   * @param block who asks
   * @throws IllegalStateException if there is none, or it is another thread's
   */
  static GradientRecorder current(String block) {
    GradientRecorder recorder = CURRENT.get();
    if (recorder == null) {
      throw new IllegalStateException(
          block
              + " was called in training mode without a PowerAttentionTrainer's gradient collector;"
              + " DJL's own would leave out every gradient that passes through it. Train with"
              + " PowerAttentionTrainer.of(model, config), or call with training = false");
    }
    if (recorder.thread != Thread.currentThread()) {
      throw new IllegalStateException(
          block
              + " was called on thread "
              + Thread.currentThread().getName()
              + " while gradients are collected on "
              + recorder.thread.getName()
              + "; call it there");
    }
    if (recorder.finished) {
      throw new IllegalStateException(
          block + " was called after backward; open another gradient collector for it");
    }
    return recorder;
  }

  /** Returns the array as a leaf, which gets a gradient that is later passed on to the array. */
  NDArray cut(NDArray array) {
    NDArray leaf = array.stopGradient();
    leaf.setRequiresGradient(true);
    breaks.push(new Cut(array, leaf));
    return leaf;
  }

  /** Returns the operator's output, as a leaf. */
  NDArray attention(
      PowerAttentionOperator operator, TensorExchange exchange, AttentionInputs inputs) {
    RecordedAttention attention = new RecordedAttention(operator, exchange, inputs);
    breaks.push(attention);
    return attention.output();
  }

  /**
   * Adds the gradients of a loss to those of all parameters that it depends on. Once for each
   * collector: the gradients of several collectors add up until the trainer's step.
   */
  @Override
  public void backward(NDArray target) {
    if (finished) {
      throw new IllegalStateException(
          "backward was called before on this collector; add losses up and call it once, or open"
              + " another collector: gradients add up until the trainer's step");
    }
    if (thread != Thread.currentThread()) {
      throw new IllegalStateException("call backward on thread " + thread.getName());
    }
    finished = true;
    try (NDManager scratch = target.getManager().newSubManager()) {
      backward(target, scratch.ones(target.getShape(), target.getDataType()));
    }
    while (!breaks.isEmpty()) {
      try (Break last = breaks.pop()) {
        last.passOn();
      }
    }
  }

  private static void backward(NDArray target, NDArray gradient) {
    JniUtils.backward((PtNDArray) target, (PtNDArray) gradient, true, false);
  }

  /**
   * Passes gradients on to what arrays depend on, in one pass: the derivative of the sum of {@code
   * <array, gradient>} by an array is its gradient.
   */
  static void backward(NDManager scratch, List<NDArray> arrays, List<NDArray> gradients) {
    // Whether an array depends on a parameter at all cannot be asked without ending the JVM; on
    // this number, the sum always does.
    NDArray target = scratch.zeros(new Shape());
    target.setRequiresGradient(true);
    for (int i = 0; i < arrays.size(); i++) {
      target = target.add(arrays.get(i).mul(gradients.get(i)).sum());
    }
    backward(target, scratch.ones(new Shape()));
  }

  @Override
  public void zeroGradients() {
    collector.zeroGradients();
  }

  @Override
  public void close() {
    CURRENT.compareAndSet(this, null);
    finished = true;
    breaks.forEach(Break::close);
    breaks.clear();
    collector.close();
  }

  private record Cut(NDArray before, NDArray after) implements Break {
    @Override
    public void passOn() {
      try (NDManager scratch = before.getManager().newSubManager()) {
        NDArray gradient = after.getGradient();
        gradient.attach(scratch);
        backward(scratch, List.of(before), List.of(gradient));
      }
    }

    @Override
    public void close() {}
  }
}
