package org.powerattention.runtime.cpu;

/**
 * The loops that take the time. All arrays of a call are distinct rows, walked at one common index:
 * that is what the C2 compiler vectorises without being told (it does not when indices differ by an
 * offset, nor when the body grows much beyond four products). Math.fma gains nothing here, and is
 * hundreds of times slower on a processor without the instruction.
 */
final class Vectors {
  private Vectors() {}

  /** {@code out += a0 x0 + a1 x1 + a2 x2 + a3 x3} on {@code [from, to)}. */
  static void add4(
      float[] out,
      float[] x0,
      float[] x1,
      float[] x2,
      float[] x3,
      float a0,
      float a1,
      float a2,
      float a3,
      int from,
      int to) {
    for (int i = from; i < to; i++) {
      out[i] += (a0 * x0[i] + a1 * x1[i]) + (a2 * x2[i] + a3 * x3[i]);
    }
  }

  /** Returns {@code <x, y>} over the first n numbers, a multiple of 4. */
  static float dot(float[] x, float[] y, int n) {
    // Four sums that do not wait for one another; one alone could not be reordered.
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    for (int i = 0; i < n; i += 4) {
      a += x[i] * y[i];
      b += x[i + 1] * y[i + 1];
      c += x[i + 2] * y[i + 2];
      d += x[i + 3] * y[i + 3];
    }
    return (a + b) + (c + d);
  }

  /** {@code x <- x^degree} on {@code [from, to)}. */
  static void raise(float[] x, int degree, int from, int to) {
    switch (degree) {
      case 1 -> {}
      case 2 -> {
        for (int i = from; i < to; i++) {
          x[i] = x[i] * x[i];
        }
      }
      case 3 -> {
        for (int i = from; i < to; i++) {
          x[i] = x[i] * x[i] * x[i];
        }
      }
      default -> {
        for (int i = from; i < to; i++) {
          float square = x[i] * x[i];
          x[i] = square * square;
        }
      }
    }
  }

  /** {@code out = a x} on {@code [from, to)}. */
  static void scaled(float[] out, float[] x, float a, int from, int to) {
    for (int i = from; i < to; i++) {
      out[i] = a * x[i];
    }
  }

  /** {@code a <- factor a s^(degree - 1)} on {@code [from, to)}. */
  static void slope(float[] a, float[] s, float factor, int degree, int from, int to) {
    switch (degree) {
      case 1 -> {
        for (int i = from; i < to; i++) {
          a[i] = factor * a[i];
        }
      }
      case 2 -> {
        for (int i = from; i < to; i++) {
          a[i] = factor * a[i] * s[i];
        }
      }
      case 3 -> {
        for (int i = from; i < to; i++) {
          a[i] = factor * a[i] * (s[i] * s[i]);
        }
      }
      default -> {
        for (int i = from; i < to; i++) {
          a[i] = factor * a[i] * (s[i] * s[i] * s[i]);
        }
      }
    }
  }

  /** {@code out += x} on {@code [0, n)}. */
  static void add(float[] out, float[] x, int n) {
    for (int i = 0; i < n; i++) {
      out[i] += x[i];
    }
  }

  /** {@code out += x * y} on {@code [from, to)}. */
  static void addProduct(float[] out, float[] x, float[] y, int from, int to) {
    for (int i = from; i < to; i++) {
      out[i] += x[i] * y[i];
    }
  }

  /** {@code out += factor x * y} on {@code [from, to)}. */
  static void addProduct(float[] out, float[] x, float[] y, float factor, int from, int to) {
    for (int i = from; i < to; i++) {
      out[i] += factor * x[i] * y[i];
    }
  }

  /** Returns {@code sum x * y} over {@code [from, to)}, of fp32 products. */
  static double dot(float[] x, float[] y, int from, int to) {
    double sum0 = 0;
    double sum1 = 0;
    double sum2 = 0;
    double sum3 = 0;
    int i = from;
    for (; i + 3 < to; i += 4) {
      sum0 += x[i] * y[i];
      sum1 += x[i + 1] * y[i + 1];
      sum2 += x[i + 2] * y[i + 2];
      sum3 += x[i + 3] * y[i + 3];
    }
    for (; i < to; i++) {
      sum0 += x[i] * y[i];
    }
    return (sum0 + sum1) + (sum2 + sum3);
  }

  /** {@code x <- x * factors} on {@code [from, to)}. */
  static void multiply(float[] x, float[] factors, int from, int to) {
    for (int i = from; i < to; i++) {
      x[i] *= factors[i];
    }
  }

  /** {@code x <- factor x * factors} on {@code [from, to)}. */
  static void multiply(float[] x, float[] factors, float factor, int from, int to) {
    for (int i = from; i < to; i++) {
      x[i] *= factor * factors[i];
    }
  }

  /** {@code x <- factor x} on {@code [0, n)}. */
  static void scale(float[] x, float factor, int n) {
    for (int i = 0; i < n; i++) {
      x[i] *= factor;
    }
  }

  /** {@code total <- total + part, part <- 0} on {@code [0, n)}. */
  static void drain(float[] part, float[] total, int n) {
    for (int i = 0; i < n; i++) {
      total[i] += part[i];
    }
    for (int i = 0; i < n; i++) {
      part[i] = 0;
    }
  }
}
