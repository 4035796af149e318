package org.powerattention.annotations;

/** Element type of the queries, keys, values and outputs. Sums are always kept in fp32. */
public enum DType {
  /** bfloat16: 8 bits of exponent, 8 bits of significand; tensor cores. */
  BF16(2),
  /** IEEE 754 binary16: 5 bits of exponent, 11 bits of significand; tensor cores. */
  FP16(2),
  /** IEEE 754 binary32, computed in full single precision (no TF32). */
  FP32(4);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Returns the size of one element in bytes. */
  public int bytes() {
    return bytes;
  }
}
