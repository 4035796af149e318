package org.powerattention.kernels.accuracy;

/** Distributions of log gates: uniform between twice the mean and 0. */
enum Gates {
  STRONG(-2),
  WEAK(-0.001),
  /** Of an operator that takes none. */
  NONE(0);

  private final double mean;

  Gates(double mean) {
    this.mean = mean;
  }

  /** Returns the log gate at a position between 0 and 1 of the distribution. */
  float at(double position) {
    return (float) (2 * mean * position);
  }
}
