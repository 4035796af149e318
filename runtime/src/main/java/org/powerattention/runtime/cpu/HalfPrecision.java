package org.powerattention.runtime.cpu;

/** The two 16-bit floating-point formats and fp32. Rounding is to the nearest, ties to even. */
final class HalfPrecision {
  private static final float TWO_TO_112 = 0x1p112f;

  /** Half of a unit in the last place above the greatest fp16 number: from here on, infinity. */
  private static final float FP16_OVERFLOW = 65_520f;

  private static final float FP16_LEAST_NORMAL = 0x1p-14f;

  private HalfPrecision() {}

  static float fromBf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  static float fromFp16(short bits) {
    int sign = (bits & 0x8000) << 16;
    int magnitude = (bits & 0x7fff) << 13;
    if (magnitude >= 0x7c00 << 13) {
      return Float.intBitsToFloat(sign | 0x7f80_0000 | magnitude);
    }
    // Exponent and fraction are in place; the product corrects the bias, of subnormal numbers too.
    float value = Float.intBitsToFloat(magnitude) * TWO_TO_112;
    return Float.intBitsToFloat(sign | Float.floatToRawIntBits(value));
  }

  static short toFp16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fff_ffff;
    float absolute = Float.intBitsToFloat(magnitude);
    int half;
    if (Float.isNaN(value)) {
      half = 0x7e00;
    } else if (absolute >= FP16_OVERFLOW) {
      half = 0x7c00;
    } else if (absolute < FP16_LEAST_NORMAL) {
      half = (int) Math.rint(absolute * 0x1p24);
    } else {
      int rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
      half = (rounded - (112 << 23)) >>> 13;
    }
    return (short) (sign | half);
  }
}
