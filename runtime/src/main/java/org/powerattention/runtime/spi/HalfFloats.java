package org.powerattention.runtime.spi;

/** Conversion between fp32 and the two 16-bit formats, rounding to nearest, ties to even. */
public final class HalfFloats {
  /** Smallest normal fp16 number, 2^-14, as fp32 bits. */
  private static final int FP16_MIN_NORMAL = 0x3880_0000;

  /** 65,520, the least number that rounds to fp16 infinity, as fp32 bits. */
  private static final int FP16_OVERFLOW = 0x477f_f000;

  private static final int FP32_INFINITY = 0x7f80_0000;

  /** Difference of the exponent biases, 127 - 15, at the place of fp32's exponent. */
  private static final int REBIAS = 112 << 23;

  private HalfFloats() {}

  /** Rounds to bf16 and returns its bits; a NaN stays one. */
  public static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      // Rounding could carry a NaN into an infinity; cut it off and keep it quiet instead.
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  /** Returns the number of some bf16 bits. */
  public static float fromBf16(short half) {
    return Float.intBitsToFloat(half << 16);
  }

  /** Rounds to fp16 and returns its bits; a NaN stays one. */
  public static short toFp16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fff_ffff;
    if (magnitude > FP32_INFINITY) {
      return (short) (sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff));
    }
    if (magnitude >= FP16_OVERFLOW) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < FP16_MIN_NORMAL) {
      // A subnormal counts units of 2^-24; the product is exact, so rint alone rounds.
      return (short) (sign | (int) Math.rint(Float.intBitsToFloat(magnitude) * 0x1p24f));
    }
    int rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return (short) (sign | ((rounded - REBIAS) >>> 13));
  }

  /** Returns the number of some fp16 bits. */
  public static float fromFp16(short half) {
    int sign = (half & 0x8000) << 16;
    int exponent = (half >>> 10) & 0x1f;
    int fraction = half & 0x3ff;
    if (exponent == 0) {
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int wide = exponent == 0x1f ? FP32_INFINITY : (exponent << 23) + REBIAS;
    return Float.intBitsToFloat(sign | wide | (fraction << 13));
  }
}
