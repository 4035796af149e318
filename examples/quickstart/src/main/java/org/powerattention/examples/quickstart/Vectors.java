package org.powerattention.examples.quickstart;

import java.util.stream.IntStream;

/** Arithmetic on vectors of {@link Memories#HEAD_DIM} numbers, one after the other in an array. */
final class Vectors {
  private static final int SIZE = Memories.HEAD_DIM;

  private Vectors() {}

  /** Returns how many vectors an array holds. */
  static int count(float[] vectors) {
    return vectors.length / SIZE;
  }

  /** Returns the inner product of two vectors. */
  static float dot(float[] a, int i, float[] b, int j) {
    float sum = 0;
    for (int n = 0; n < SIZE; n++) {
      sum += a[i * SIZE + n] * b[j * SIZE + n];
    }
    return sum;
  }

  /** Adds {@code factor} times a vector to another. */
  static void addScaled(float[] target, int i, float factor, float[] b, int j) {
    for (int n = 0; n < SIZE; n++) {
      target[i * SIZE + n] += factor * b[j * SIZE + n];
    }
  }

  /** Returns the vectors at some positions, in their order. */
  static float[] gather(float[] vectors, int[] positions) {
    float[] gathered = new float[positions.length * SIZE];
    for (int i = 0; i < positions.length; i++) {
      System.arraycopy(vectors, positions[i] * SIZE, gathered, i * SIZE, SIZE);
    }
    return gathered;
  }

  /** Returns for each answer the position of the candidate with the greatest inner product. */
  static int[] nearest(float[] answers, float[] candidates) {
    return IntStream.range(0, count(answers))
        .parallel()
        .map(answer -> nearest(answers, answer, candidates))
        .toArray();
  }

  private static int nearest(float[] answers, int answer, float[] candidates) {
    int best = -1;
    float greatest = Float.NEGATIVE_INFINITY;
    for (int j = 0; j < count(candidates); j++) {
      float product = dot(answers, answer, candidates, j);
      if (product > greatest) {
        greatest = product;
        best = j;
      }
    }
    return best;
  }
}
