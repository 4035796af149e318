package org.powerattention.annotations;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.common.collect.Range;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class KernelSpecTest {
  /** Every degree, headDim and normalisation whose state fits, at some chunks. */
  static List<KernelSpec> specs() {
    List<KernelSpec> specs = new ArrayList<>();
    for (int degree = 1; degree <= 4; degree++) {
      for (int headDim = 16; headDim <= 128; headDim += 16) {
        for (boolean normalized : new boolean[] {false, true}) {
          if ((degree % 2 == 1 && normalized)
              || KernelSpec.stateBytes(degree, headDim, normalized) > KernelSpec.MAX_STATE_BYTES) {
            continue;
          }
          for (int chunk : new int[] {PowerAttention.AUTOMATIC, 64, 1024, 65_536}) {
            specs.add(KernelSpec.of(degree, headDim, chunk, DType.BF16, true, normalized));
          }
        }
      }
    }
    return specs;
  }

  private static KernelSpec spec(int degree, int headDim, int chunk, boolean normalized) {
    return new KernelSpec(degree, headDim, chunk, DType.FP32, false, normalized);
  }

  @Test
  void stateIsDTimesValueColumnsOfFourBytes() {
    assertThat(spec(2, 64, 1024, true).stateBytes()).isEqualTo(2304 * 65 * 4);
    assertThat(spec(2, 64, 1024, false).stateBytes()).isEqualTo(2304 * 64 * 4);
    assertThat(spec(3, 128, 1024, false).stateBytes()).isEqualTo(382_976 * 128 * 4);
    assertThat(spec(4, 64, 1024, true).stateBytes()).isEqualTo(837_760 * 65 * 4);
    // Larger than an int: 12,263,680 features of 129 numbers.
    assertThat(KernelSpec.stateBytes(4, 128, true)).isEqualTo(6_328_058_880L);
  }

  @Test
  void aWindowIsAChunkOfUpTo128Tokens() {
    assertThat(spec(2, 64, 64, true).windowTokens()).isEqualTo(64);
    assertThat(spec(2, 64, 128, true).windowTokens()).isEqualTo(128);
    assertThat(spec(2, 64, 1024, true).windowTokens()).isEqualTo(128);
  }

  @Test
  void featureDimIsTheFeatureMapsSize() {
    assertThat(spec(3, 64, 1024, false).featureDim()).isEqualTo(52_224);
    assertThat(spec(3, 64, 1024, false).featureMap().tile()).isEqualTo(4);
  }

  @Test
  void flopsAreTwoPerMultiplyAdd() {
    // Unnormalised: a pair is 64 multiply-adds of the score and 64 of the value; a token has t / 2
    // pairs on average.
    assertThat(spec(2, 64, 1024, false).attentionFlopsPerToken(1000))
        .isEqualTo(500 * (2 * 64 + 2 * 64.0));
    // 2 D d to update the state, as many to read it, and the attention within the chunk.
    assertThat(spec(2, 64, 1024, false).chunkedFlopsPerToken())
        .isEqualTo(2 * 2304 * 64 + 2 * 2304 * 64 + 512 * (2 * 64 + 2 * 64.0));
    // Normalised: the sum of weights counts as eight more value columns.
    assertThat(spec(2, 64, 1024, true).attentionFlopsPerToken(1000))
        .isEqualTo(500 * (2 * 64 + 2 * 72.0));
    assertThat(spec(2, 64, 1024, true).chunkedFlopsPerToken())
        .isEqualTo(2 * 2304 * 72 + 2 * 2304 * 72 + 512 * (2 * 64 + 2 * 72.0));
  }

  @ParameterizedTest
  @MethodSource("specs")
  void chunkedFormTakesFewerFlopsFromTheCrossoverOnAndNotBefore(KernelSpec spec) {
    long crossover = spec.crossoverTokens();
    double chunked = spec.chunkedFlopsPerToken();
    assertThat(spec.attentionFlopsPerToken(crossover)).isGreaterThan(chunked);
    assertThat(spec.attentionFlopsPerToken(2 * crossover)).isGreaterThan(chunked);
    assertThat(spec.attentionFlopsPerToken(crossover - 1)).isAtMost(chunked);
    assertThat(spec.attentionFlopsPerToken(crossover / 2)).isLessThan(chunked);
  }

  @ParameterizedTest
  @MethodSource("specs")
  void crossoverLiesBeyondTheFirstChunk(KernelSpec spec) {
    // Within one chunk the chunked form is the attention form and more.
    assertThat(spec.crossoverTokens()).isGreaterThan((long) spec.chunk());
  }

  @Test
  void specsAreEqualIfAllThatTheyHoldIs() {
    KernelSpec spec = new KernelSpec(2, 64, 1024, DType.BF16, true, true);
    KernelSpec same = new KernelSpec(2, 64, 1024, DType.BF16, true, true);
    assertThat(same).isEqualTo(spec);
    assertThat(same.hashCode()).isEqualTo(spec.hashCode());
    assertThat(spec.equals(null)).isFalse();
    for (KernelSpec other :
        List.of(
            new KernelSpec(4, 64, 1024, DType.BF16, true, true),
            new KernelSpec(2, 32, 1024, DType.BF16, true, true),
            new KernelSpec(2, 64, 512, DType.BF16, true, true),
            new KernelSpec(2, 64, 1024, DType.FP16, true, true),
            new KernelSpec(2, 64, 1024, DType.BF16, false, true),
            new KernelSpec(2, 64, 1024, DType.BF16, true, false))) {
      assertThat(other).isNotEqualTo(spec);
    }
    assertThat(spec.toString())
        .isEqualTo(
            "KernelSpec[degree=2, headDim=64, chunk=1024, dtype=BF16, gated=true,"
                + " normalized=true]");
  }

  @Test
  void noOtherPowerOfTwoHasALowerModelledCostThanTheRecommendedChunk() {
    for (int degree = 1; degree <= 4; degree++) {
      for (int headDim = 16; headDim <= 128; headDim += 16) {
        for (boolean normalized : new boolean[] {false, true}) {
          int recommended = KernelSpec.recommendedChunk(degree, headDim, normalized);
          assertThat(Integer.bitCount(recommended)).isEqualTo(1);
          assertThat(recommended).isIn(Range.closed(256, 16_384));
          for (int chunk = 256; chunk <= 16_384; chunk *= 2) {
            assertWithMessage(
                    "degree %s, headDim %s, normalized %s: chunk %s against %s",
                    degree, headDim, normalized, recommended, chunk)
                .that(cost(degree, headDim, normalized, recommended))
                .isAtMost(cost(degree, headDim, normalized, chunk) * (1 + 1e-12));
          }
        }
      }
    }
  }

  /**
   * FLOPs, or the time of as many, per token: D columns of 2 bytes written and read once a chunk at
   * 170 FLOPs a byte, and chunk / 2 pairs.
   */
  private static double cost(int degree, int headDim, boolean normalized, int chunk) {
    int columns = headDim + (normalized ? 8 : 0);
    double snapshotBytes = 2.0 * FeatureMap.of(degree, headDim).size() * columns;
    double pair = 2.0 * headDim + 2.0 * columns;
    return 2 * snapshotBytes * 170 / chunk + chunk / 2.0 * pair;
  }

  @Test
  void automaticChunkIsTheRecommendedOne() {
    KernelSpec spec = KernelSpec.of(2, 64, PowerAttention.AUTOMATIC, DType.BF16, true, true);
    assertThat(spec)
        .isEqualTo(
            new KernelSpec(
                2, 64, KernelSpec.recommendedChunk(2, 64, true), DType.BF16, true, true));
    assertThat(KernelSpec.of(2, 64, 192, DType.BF16, true, true).chunk()).isEqualTo(192);
  }

  @Test
  void automaticIsNotAChunkOfItsOwn() {
    assertThrows(IllegalArgumentException.class, () -> spec(2, 64, PowerAttention.AUTOMATIC, true));
  }

  @Test
  void limitsThemselvesAreAllowed() {
    assertThat(spec(1, 16, 64, false).degree()).isEqualTo(1);
    assertThat(spec(2, 128, 65_536, true).chunk()).isEqualTo(65_536);
    assertThat(spec(4, 80, 64, true).stateBytes()).isAtMost(KernelSpec.MAX_STATE_BYTES);
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -2, 0, 5, Integer.MAX_VALUE})
  void degreeOutOfRangeIsRefused(int degree) {
    assertRefused(degree, 64, 1024, false, "degree = " + degree + "; allowed: 1 to 4");
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -16, 0, 8, 17, 100, 144, Integer.MAX_VALUE})
  void headDimOutOfRangeIsRefused(int headDim) {
    assertRefused(
        2,
        headDim,
        1024,
        true,
        "headDim = " + headDim + "; allowed: multiples of 16 from 16 to 128");
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -64, 0, 32, 65, 1000, 65_600, Integer.MAX_VALUE})
  void chunkOutOfRangeIsRefused(int chunk) {
    assertRefused(
        2, 64, chunk, true, "chunk = " + chunk + "; allowed: multiples of 64 from 64 to 65536");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void normalisedOddDegreeIsRefused(int degree) {
    assertRefused(
        degree,
        64,
        1024,
        true,
        "normalized = true with degree = "
            + degree
            + ": weights of an odd degree can be negative, so their sum cannot normalise;"
            + " use normalized = false or an even degree");
  }

  @ParameterizedTest
  @CsvSource({"96, true", "96, false", "112, true", "128, false"})
  void stateBeyondTheLimitIsRefused(int headDim, boolean normalized) {
    assertRefused(
        4,
        headDim,
        1024,
        normalized,
        "degree = 4 with headDim = "
            + headDim
            + " has a state of "
            + KernelSpec.stateBytes(4, headDim, normalized)
            + " bytes per head; allowed: up to 1073741824");
  }

  @Test
  void missingDTypeIsRefused() {
    @Nullable DType none = null;
    NullPointerException e =
        assertThrows(
            NullPointerException.class, () -> new KernelSpec(2, 64, 1024, none, true, true));
    assertThat(e).hasMessageThat().isEqualTo("dtype");
  }

  private static void assertRefused(
      int degree, int headDim, int chunk, boolean normalized, String message) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> spec(degree, headDim, chunk, normalized));
    assertThat(e).hasMessageThat().isEqualTo(message);
  }

  @Test
  void elementSizesAreThoseOfTheFormats() {
    assertThat(DType.BF16.bytes()).isEqualTo(2);
    assertThat(DType.FP16.bytes()).isEqualTo(2);
    assertThat(DType.FP32.bytes()).isEqualTo(4);
  }
}
