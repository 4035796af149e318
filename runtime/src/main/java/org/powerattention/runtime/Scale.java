package org.powerattention.runtime;

/** The factor of {@code <q, k>}, which options hold as NaN until it is set. */
final class Scale {
  private Scale() {}

  /**
   * Checks a factor.
   *
   * @throws IllegalArgumentException if it is not positive and finite
   */
  static void check(double scale) {
    if (!(scale > 0) || Double.isInfinite(scale)) {
      throw new IllegalArgumentException("scale = " + scale + "; allowed: positive and finite");
    }
  }

  /** Returns a factor, or where none is set {@code 1 / sqrt(headDim)}. */
  static double orDefault(double scale, int headDim) {
    return Double.isNaN(scale) ? 1 / Math.sqrt(headDim) : scale;
  }
}
