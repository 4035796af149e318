package org.powerattention.examples.quickstart;

import java.util.stream.IntStream;

/**
 * The yardstick: softmax attention, which keeps every key and value. It remembers all of them, at
 * the price of memory and of a time per question that grow with what is stored.
 */
final class SoftmaxMemory implements AssociativeMemory {
  /**
   * What scores are multiplied by. Sharp enough that the key asked for outweighs the sum of tens of
   * thousands of others, whose scores scatter about 0 by 1 / sqrt(HEAD_DIM).
   */
  private static final float SHARPNESS = 32;

  private float[] keys = {};
  private float[] values = {};

  @Override
  public String name() {
    return "softmax";
  }

  @Override
  public void memorise(float[] newKeys, float[] newValues) {
    keys = newKeys.clone();
    values = newValues.clone();
  }

  @Override
  public float[] recall(float[] queries) {
    float[] answers = new float[queries.length];
    IntStream.range(0, Vectors.count(queries))
        .parallel()
        .forEach(query -> answer(queries, query, answers));
    return answers;
  }

  /** {@code y = sum_j exp(SHARPNESS (<q, k_j> - 1)) v_j}, the sum of weights left undivided. */
  private void answer(float[] queries, int query, float[] answers) {
    for (int j = 0; j < Vectors.count(keys); j++) {
      // No product of unit vectors exceeds 1, so that subtracting 1 keeps exp from overflowing.
      float product = Vectors.dot(queries, query, keys, j);
      float weight = (float) Math.exp(SHARPNESS * (product - 1));
      Vectors.addScaled(answers, query, weight, values, j);
    }
  }

  @Override
  public long bytes() {
    return (long) (keys.length + values.length) * Float.BYTES;
  }

  @Override
  public void close() {
    keys = new float[0];
    values = new float[0];
  }
}
