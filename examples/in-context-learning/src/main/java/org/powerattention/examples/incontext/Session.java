package org.powerattention.examples.incontext;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.Random;
import org.powerattention.djl.AttentionMemory;

/** One sequence that a trained model reads, and whose next token it is asked for. */
final class Session implements AutoCloseable {
  private final TrainedModel model;
  private final NDManager manager;
  private final ParameterStore parameters;
  private final AttentionMemory memory = new AttentionMemory();
  private int previous;
  private int tokens;

  /**
   * @param capacity tokens that will be read at most; only exponential attention sets room aside
   */
  Session(TrainedModel model, int capacity) {
    this.model = model;
    this.manager = model.manager().newSubManager();
    this.parameters = new ParameterStore(manager, false);
    for (Block attention : model.attentions()) {
      if (attention instanceof SoftmaxBlock softmax) {
        softmax.remember(
            new KeyValueCache(manager, model.size().heads(), capacity, model.size().headDim()));
      }
    }
  }

  /** Returns how many tokens have been read. */
  int tokens() {
    return tokens;
  }

  /** Returns the bytes of the states of power attention. */
  long bytes() {
    return memory.bytes();
  }

  /** Reads tokens and returns the logits of what follows the last scored one of them. */
  float[] read(int... next) {
    int first = tokens == 0 ? 1 : 0;
    int count = next.length - first;
    if (count < 1) {
      throw new IllegalArgumentException("a session begins with at least two tokens");
    }
    long[] here = new long[count];
    long[] before = new long[count];
    for (int i = 0; i < count; i++) {
      here[i] = next[i + first];
      before[i] = i + first == 0 ? previous : next[i + first - 1];
    }
    previous = next[next.length - 1];
    tokens += count;
    try (NDManager scratch = manager.newSubManager()) {
      Shape shape = new Shape(1, count);
      NDList inputs = new NDList(scratch.create(here, shape), scratch.create(before, shape));
      NDList logits = memory.read(() -> model.block().forward(parameters, inputs, false));
      NDArray all = logits.singletonOrThrow();
      return all.get("0, -1").toFloatArray();
    }
  }

  /** Returns the token of the greatest logit. */
  static int best(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  /** Draws a token. */
  static int sample(float[] logits, double temperature, Random random) {
    float greatest = logits[best(logits)];
    double[] weights = new double[logits.length];
    double sum = 0;
    for (int i = 0; i < logits.length; i++) {
      weights[i] = Math.exp((logits[i] - greatest) / temperature);
      sum += weights[i];
    }
    double drawn = random.nextDouble() * sum;
    for (int i = 0; i < weights.length; i++) {
      drawn -= weights[i];
      if (drawn < 0) {
        return i;
      }
    }
    return best(logits);
  }

  @Override
  public void close() {
    memory.close();
    for (Block attention : model.attentions()) {
      if (attention instanceof SoftmaxBlock softmax) {
        softmax.remember(null);
      }
    }
    manager.close();
  }
}
