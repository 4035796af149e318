package org.powerattention.runtime.spi;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Random;
import org.junit.jupiter.api.Test;

final class HalfFloatsTest {
  /** The value of a 16-bit float by the definition of the format, in exact arithmetic. */
  private static double valueOf(int bits, int exponentBits) {
    int fractionBits = 15 - exponentBits;
    int bias = (1 << exponentBits - 1) - 1;
    int exponent = bits >> fractionBits & (1 << exponentBits) - 1;
    int fraction = bits & (1 << fractionBits) - 1;
    double magnitude;
    if (exponent == (1 << exponentBits) - 1) {
      magnitude = fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
    } else if (exponent == 0) {
      magnitude = Math.scalb((double) fraction, 1 - bias - fractionBits);
    } else {
      magnitude =
          Math.scalb((double) (fraction + (1 << fractionBits)), exponent - bias - fractionBits);
    }
    return (bits & 0x8000) == 0 ? magnitude : -magnitude;
  }

  @Test
  void everyHalfHasTheValueOfItsFormat() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      double fp16 = HalfFloats.fromFp16((short) bits);
      double bf16 = HalfFloats.fromBf16((short) bits);
      assertWithMessage("fp16 %s", bits).that(fp16).isEqualTo(valueOf(bits, 5));
      assertWithMessage("bf16 %s", bits).that(bf16).isEqualTo(valueOf(bits, 8));
    }
  }

  @Test
  void everyHalfSurvivesTheWayToFloatAndBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      if (Double.isNaN(valueOf(bits, 5))) {
        assertThat(HalfFloats.fromFp16(HalfFloats.toFp16(HalfFloats.fromFp16((short) bits))))
            .isNaN();
      } else {
        assertThat(HalfFloats.toFp16(HalfFloats.fromFp16((short) bits))).isEqualTo((short) bits);
      }
      if (Double.isNaN(valueOf(bits, 8))) {
        assertThat(HalfFloats.fromBf16(HalfFloats.toBf16(HalfFloats.fromBf16((short) bits))))
            .isNaN();
      } else {
        assertThat(HalfFloats.toBf16(HalfFloats.fromBf16((short) bits))).isEqualTo((short) bits);
      }
    }
  }

  @Test
  void halfwayBetweenNeighboursGoesToTheEvenOne() {
    for (int exponentBits : new int[] {5, 8}) {
      int infinity = (1 << exponentBits) - 1 << 15 - exponentBits;
      for (int bits = 0; bits + 1 < infinity; bits++) {
        float below = (float) valueOf(bits, exponentBits);
        float above = (float) valueOf(bits + 1, exponentBits);
        float middle = (float) ((valueOf(bits, exponentBits) + above) / 2);
        int even = bits % 2 == 0 ? bits : bits + 1;
        if (middle != below && middle != above) {
          assertThat(encode(middle, exponentBits)).isEqualTo(even);
          assertThat(encode(-middle, exponentBits)).isEqualTo(even | 0x8000);
          assertThat(encode(Math.nextDown(middle), exponentBits)).isEqualTo(bits);
          assertThat(encode(Math.nextUp(middle), exponentBits)).isEqualTo(bits + 1);
        }
      }
    }
  }

  @Test
  void randomFloatsGoToANearestHalf() {
    Random random = new Random(7);
    for (int i = 0; i < 200_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      for (int exponentBits : new int[] {5, 8}) {
        int bits = encode(value, exponentBits);
        double got = valueOf(bits, exponentBits);
        if (Float.isNaN(value)) {
          assertThat(got).isNaN();
          continue;
        }
        assertThat(Math.copySign(1, got)).isEqualTo(Math.copySign(1, (double) value));
        if (Double.isInfinite(got)) {
          int greatest = ((1 << exponentBits) - 1 << 15 - exponentBits) - 1;
          double step = valueOf(greatest, exponentBits) - valueOf(greatest - 1, exponentBits);
          assertThat(Math.abs(value))
              .isAtLeast((float) (valueOf(greatest, exponentBits) + step / 2));
        } else {
          double error = Math.abs(got - value);
          assertThat(error).isAtMost(Math.abs(valueOf(bits + 1, exponentBits) - value));
          if ((bits & 0x7fff) != 0) {
            assertThat(error).isAtMost(Math.abs(valueOf(bits - 1, exponentBits) - value));
          }
        }
      }
    }
  }

  @Test
  void overflowGoesToInfinity() {
    assertThat(HalfFloats.fromFp16(HalfFloats.toFp16(65_519.996f))).isEqualTo(65_504f);
    assertThat(HalfFloats.fromFp16(HalfFloats.toFp16(65_520f))).isPositiveInfinity();
    assertThat(HalfFloats.fromBf16(HalfFloats.toBf16(-Float.MAX_VALUE))).isNegativeInfinity();
  }

  private static int encode(float value, int exponentBits) {
    return (exponentBits == 5 ? HalfFloats.toFp16(value) : HalfFloats.toBf16(value)) & 0xffff;
  }
}
