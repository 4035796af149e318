package org.powerattention.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/**
 * Rotary position embedding (Su et al., "RoFormer", arXiv 2104.09864): the numbers {@code (x_i,
 * x_{i + d/2})} of a head are turned by {@code position * base^(-2i/d)}. An inner product of turned
 * vectors depends on the distance of their positions only, and so does its power.
 *
 * @param headDim size d of a head
 * @param base greatest wavelength over 2 pi
 */
public record RotaryEmbedding(int headDim, double base) {
  /**
   * Angles of a range of positions.
   *
   * @param cosines their cosines [1, t, 1, d / 2]
   * @param sines their sines, likewise
   */
  public record Turn(NDArray cosines, NDArray sines) {
    /** Returns x [b, t, heads, d] with each head turned. */
    public NDArray apply(NDArray x) {
      NDList halves = x.split(2, 3);
      NDArray first = halves.get(0);
      NDArray second = halves.get(1);
      return NDArrays.concat(
          new NDList(
              first.mul(cosines).sub(second.mul(sines)), first.mul(sines).add(second.mul(cosines))),
          3);
    }
  }

  /** Returns the angles of {@code tokens} positions from {@code start} on. */
  public Turn at(NDManager manager, long start, int tokens) {
    int half = headDim / 2;
    float[] cosines = new float[tokens * half];
    float[] sines = new float[tokens * half];
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < half; i++) {
        double angle = (start + t) * Math.pow(base, -2.0 * i / headDim);
        cosines[t * half + i] = (float) Math.cos(angle);
        sines[t * half + i] = (float) Math.sin(angle);
      }
    }
    Shape shape = new Shape(1, tokens, 1, half);
    return new Turn(manager.create(cosines, shape), manager.create(sines, shape));
  }
}
