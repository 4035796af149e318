package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;

/** The 16-bit formats against their definitions. */
class HalfPrecisionTest {
  @Test
  void everyFp16PatternHasItsDefinedValue() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      int exponent = bits >> 10 & 31;
      int fraction = bits & 1023;
      double magnitude =
          exponent == 31
              ? (fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
              : exponent == 0
                  ? fraction * 0x1p-24
                  : (1024 + fraction) * Math.scalb(1.0, exponent - 25);
      float expected = (float) (bits < 1 << 15 ? magnitude : -magnitude);
      assertWithMessage("%s", bits).that(HalfPrecision.fromFp16((short) bits)).isEqualTo(expected);
    }
  }

  @Test
  void everyNumberSurvivesTheWayThereAndBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      short pattern = (short) bits;
      if (!Float.isNaN(HalfPrecision.fromFp16(pattern))) {
        assertThat(HalfPrecision.toFp16(HalfPrecision.fromFp16(pattern))).isEqualTo(pattern);
      }
      if (!Float.isNaN(HalfPrecision.fromBf16(pattern))) {
        assertThat(HalfPrecision.toBf16(HalfPrecision.fromBf16(pattern))).isEqualTo(pattern);
      }
    }
  }

  @Test
  void roundsToTheNearestAndTiesToEven() {
    Random random = new Random(1);
    for (int i = 0; i < 200_000; i++) {
      float value = (float) (random.nextGaussian() * Math.scalb(1.0, random.nextInt(38) - 25));
      if (i % 2 == 0) {
        // Halfway between two bf16 or fp16 numbers.
        value = Float.intBitsToFloat(Float.floatToIntBits(value) & 0xffff_8000 | 0x8000);
      } else if (i % 4 == 1) {
        value = Float.intBitsToFloat(Float.floatToIntBits(value) & 0xffff_f000 | 0x1000);
      }
      assertThat(HalfPrecision.fromBf16(HalfPrecision.toBf16(value)))
          .isEqualTo(Case.round(DType.BF16, value));
      if (Math.abs(value) < 65_504) {
        assertThat(HalfPrecision.fromFp16(HalfPrecision.toFp16(value)))
            .isEqualTo(Case.round(DType.FP16, value));
      }
    }
  }

  @Test
  void overflowsToInfinityAndKeepsNaN() {
    assertThat(HalfPrecision.fromFp16(HalfPrecision.toFp16(65_519.9f))).isEqualTo(65_504f);
    assertThat(HalfPrecision.fromFp16(HalfPrecision.toFp16(65_520f)))
        .isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(HalfPrecision.fromFp16(HalfPrecision.toFp16(-1e30f)))
        .isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(HalfPrecision.fromBf16(HalfPrecision.toBf16(Float.MAX_VALUE)))
        .isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(HalfPrecision.fromFp16(HalfPrecision.toFp16(Float.NaN))).isNaN();
    assertThat(HalfPrecision.fromBf16(HalfPrecision.toBf16(Float.intBitsToFloat(0x7f80_0001))))
        .isNaN();
  }
}
