package org.powerattention.djl;

import static com.google.common.truth.Truth.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class RotaryEmbeddingTest {
  private static final int D = 16;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");
  private final RotaryEmbedding rotary = new RotaryEmbedding(D, 10_000);

  @AfterEach
  void close() {
    manager.close();
  }

  /** Each pair of numbers is a complex number, multiplied by e^(i position base^(-2i/d)). */
  @Test
  void turnsPairsAsComplexNumbers() {
    float[] x = manager.randomNormal(new Shape(D)).toFloatArray();
    float[] turned = turned(x, 1000);
    for (int i = 0; i < D / 2; i++) {
      double length = Math.hypot(x[i], x[i + D / 2]);
      double angle = Math.atan2(x[i + D / 2], x[i]) + 1000 * Math.pow(10_000, -2.0 * i / D);
      assertThat((double) turned[i]).isWithin(1e-5).of(length * Math.cos(angle));
      assertThat((double) turned[i + D / 2]).isWithin(1e-5).of(length * Math.sin(angle));
    }
  }

  /** So any power of the product, too, depends on nothing but the distance. */
  @Test
  void innerProductsDependOnTheDistanceAlone() {
    float[] q = manager.randomNormal(new Shape(D)).toFloatArray();
    float[] k = manager.randomNormal(new Shape(D)).toFloatArray();
    double near = product(turned(q, 17), turned(k, 5));
    double far = product(turned(q, 100_017), turned(k, 100_005));
    assertThat(far).isWithin(1e-4).of(near);
    assertThat(product(turned(q, 18), turned(k, 5))).isNotWithin(1e-2).of(near);
  }

  private float[] turned(float[] x, int position) {
    NDArray array = manager.create(x, new Shape(1, 1, 1, D));
    return rotary.at(manager, position, 1).apply(array).toFloatArray();
  }

  private static double product(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < D; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }
}
