package org.powerattention.kernels.accuracy;

/** The relative L2 error of many values: {@code |actual - expected| / |expected|}. */
final class ErrorSum {
  private double differences;
  private double squares;

  void add(double actual, double expected) {
    differences += (actual - expected) * (actual - expected);
    squares += expected * expected;
  }

  /** Returns the error; NaN if any value was. */
  double relative() {
    return Math.sqrt(differences / squares);
  }
}
