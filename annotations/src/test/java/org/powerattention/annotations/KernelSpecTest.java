package org.powerattention.annotations;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class KernelSpecTest {
  /** Every spec that can be declared with an automatic chunk, of one dtype and gated. */
  static Stream<KernelSpec> allSpecs() {
    return Stream.of(1, 2, 3, 4)
        .flatMap(p -> Stream.of(16, 32, 48, 64, 80, 96, 112, 128).map(d -> new int[] {p, d}))
        .flatMap(pd -> Stream.of(true, false).map(n -> new Declared(pd[0], pd[1], n)))
        .filter(s -> !s.normalized || s.degree % 2 == 0)
        .filter(
            s ->
                KernelSpec.stateBytes(s.degree, s.headDim, s.normalized)
                    <= KernelSpec.MAX_STATE_BYTES)
        .map(
            s ->
                KernelSpec.of(
                    s.degree,
                    s.headDim,
                    PowerAttention.AUTOMATIC,
                    DType.BF16,
                    /* gated= */ true,
                    s.normalized));
  }

  private record Declared(int degree, int headDim, boolean normalized) {}

  private static KernelSpec spec(int degree, int headDim, int chunk, boolean normalized) {
    return new KernelSpec(degree, headDim, chunk, DType.BF16, true, normalized);
  }

  @Test
  void stateIsOneColumnPerValueAndOneForTheSum() {
    // design.md: D (d + 1) numbers; D = 2,304 at p = 2, d = 64. Four bytes each.
    assertThat(spec(2, 64, 1024, true).stateBytes()).isEqualTo(4 * 2304 * 65);
    assertThat(spec(2, 64, 1024, false).stateBytes()).isEqualTo(4 * 2304 * 64);
    // More bytes than an int holds.
    assertThat(KernelSpec.stateBytes(4, 128, true)).isEqualTo(4L * 12_263_680 * 129);
  }

  @Test
  void flopsAreThoseOfTheDesign() {
    // Two passes over D x (64 columns and 8 for the sum) of 0.33 M each, and 0.14 M for half a
    // chunk of pairs: 0.80 MFLOP.
    KernelSpec spec = spec(2, 64, 1024, true);
    assertThat(spec.chunkedFlopsPerToken()).isEqualTo(2 * (2.0 * 2304 * 72) + 512 * 2 * (64 + 72));
    assertThat(spec.chunkedFlopsPerToken()).isWithin(0.005e6).of(0.80e6);
    // A causal row of 4,096 tokens has 2,048 pairs on average.
    assertThat(spec.attentionFlopsPerToken(4096)).isEqualTo(2048.0 * 2 * (64 + 72));
    // Without a sum, 64 columns.
    assertThat(spec(1, 64, 64, false).attentionFlopsPerToken(2)).isEqualTo(2.0 * (64 + 64));
  }

  @ParameterizedTest
  @MethodSource("allSpecs")
  void chunkedFormTakesFewerFlopsFromTheCrossoverOnAndNotBefore(KernelSpec spec) {
    long crossover = spec.crossoverTokens();
    double chunked = spec.chunkedFlopsPerToken();
    assertThat(spec.attentionFlopsPerToken(crossover)).isGreaterThan(chunked);
    assertThat(spec.attentionFlopsPerToken(crossover - 1)).isAtMost(chunked);
  }

  @ParameterizedTest
  @MethodSource("allSpecs")
  void recommendedChunkIsAllowedAndWithinAPowerOfTwoOfTheModelsMinimum(KernelSpec spec) {
    int chunk = spec.chunk();
    assertThat(Integer.bitCount(chunk)).isEqualTo(1);
    assertThat(chunk).isAtLeast(64);
    assertThat(chunk).isAtMost(16_384);
    // The model's time per token, up to a constant: a share of 4 bytes of state traffic per number
    // (bf16, once out and once in), and half a chunk of pairs.
    if (chunk > 64) {
      assertThat(modelCost(spec, chunk)).isAtMost(1.0001 * modelCost(spec, chunk / 2));
    }
    if (chunk < 16_384) {
      assertThat(modelCost(spec, chunk)).isAtMost(1.0001 * modelCost(spec, chunk * 2));
    }
  }

  private static double modelCost(KernelSpec spec, int chunk) {
    double columns = spec.headDim() + (spec.normalized() ? 8 : 0);
    double flopsPerByte = 170;
    return spec.featureDim() * columns * 4 * flopsPerByte / chunk
        + chunk * (spec.headDim() + columns);
  }

  @Test
  void chunkOfDeclarationIsKeptAndAutomaticChunkIsResolved() {
    assertThat(KernelSpec.of(2, 64, 192, DType.FP16, false, true))
        .isEqualTo(new KernelSpec(2, 64, 192, DType.FP16, false, true));
    assertThat(KernelSpec.of(2, 64, 0, DType.FP16, false, true).chunk())
        .isEqualTo(KernelSpec.recommendedChunk(2, 64, true));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 5, -1})
  void degreeOutOfRangeIsRejected(int degree) {
    assertRejected(degree, 64, 1024, "degree = " + degree + "; allowed: 1 to 4");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 8, 24, 65, 144, -16})
  void headDimOutOfRangeIsRejected(int headDim) {
    assertRejected(
        2, headDim, 1024, "headDim = " + headDim + "; allowed: multiples of 16 from 16 to 128");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 32, 100, 65_600, -64})
  void chunkOutOfRangeIsRejected(int chunk) {
    assertRejected(
        2, 64, chunk, "chunk = " + chunk + "; allowed: multiples of 64 from 64 to 65536");
  }

  private static void assertRejected(int degree, int headDim, int chunk, String message) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> spec(degree, headDim, chunk, false));
    assertThat(e).hasMessageThat().isEqualTo(message);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void oddDegreeIsRejectedWhenNormalisedAndAcceptedOtherwise(int degree) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> spec(degree, 64, 1024, true));
    assertThat(e).hasMessageThat().startsWith("normalized = true with degree = " + degree);
    assertThat(spec(degree, 64, 1024, false).normalized()).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"96, 1551379200", "128, 6328058880"})
  void stateAboveTheLimitIsRejectedWithItsSize(int headDim, long bytes) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> spec(4, headDim, 1024, true));
    assertThat(e).hasMessageThat().contains("has a state of " + bytes + " bytes per head");
    assertThat(spec(4, 80, 1024, true).stateBytes()).isAtMost(1L << 30);
  }

  @Test
  void missingDtypeIsRejected() {
    NullPointerException e =
        assertThrows(
            NullPointerException.class, () -> new KernelSpec(2, 64, 1024, null, true, true));
    assertThat(e).hasMessageThat().isEqualTo("dtype");
  }

  @Test
  void limitsAreThemselvesAllowed() {
    for (int chunk : new int[] {64, 65_536}) {
      for (int headDim : new int[] {16, 128}) {
        assertWithMessage("%s, %s", headDim, chunk)
            .that(spec(2, headDim, chunk, true).featureDim())
            .isGreaterThan(0);
      }
    }
  }
}
