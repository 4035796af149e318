package org.powerattention.processor.write;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.plan.Constant;
import org.powerattention.processor.plan.Family;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.plan.LaunchSizes;
import org.powerattention.processor.validate.Operator;

final class CudaSourceTest {
  private static final LaunchSizes SIZES = new LaunchSizes(1, 2, 3, 4, 5, 6, 7);

  private static String compose(String pieces, int degree, boolean gated, boolean normalized) {
    KernelSpec spec = new KernelSpec(degree, 64, 1024, DType.BF16, gated, normalized);
    Map<String, Integer> symbols =
        Map.of(
            "DEGREE", degree, "GATED", gated ? 1 : 0, "NORMALIZED", normalized ? 1 : 0, "FP32", 0);
    List<Constant> constants =
        List.of(
            new Constant("int", "kDegree", degree, "p"),
            new Constant("long long", "kBytes", 1L << 40, "bytes"));
    KernelPlan plan = new KernelPlan(spec, Family.SM_80, symbols, constants, SIZES);
    Operator operator = new Operator("p", "Outer_Inner", "p.Outer.Inner", true, spec);
    return new CudaSource("/pieces/" + pieces + "/").compose(operator, plan);
  }

  @Test
  void piecesAreJoinedWithConditionalsResolvedAndConstantsAsLiterals() {
    assertThat(compose("good", 2, true, true))
        .isEqualTo(
            """
            // Power attention for p.Outer_InnerLauncher. Generated; do not edit.
            //
            // Architecture family: sm_80
            // Declared by: @PowerAttention(
            //     degree = 2, headDim = 64, chunk = 1024, dtype = BF16, gated = true, normalized = true)
            //     on p.Outer.Inner

            constexpr int kDegree = 2;                   // p
            constexpr long long kBytes = 1099511627776;  // bytes

            nested before

            twice

            nested after

            #define PASSED(x) x
            gated
            gated, normalised, p = 2
            #pragma unroll
            #ifdefined_is_a_word
            #undef PASSED
            last
            """);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "3 | true  | 'gated\ngated, not normalised'",
        "3 | false | 'not gated\nnot gated, p >= 3 or not normalised'",
        "2 | false | 'not gated\nnot gated, p >= 3 or not normalised'"
      })
  void eachSpecGetsItsOwnBranches(int degree, boolean gated, String branches) {
    assertThat(compose("good", degree, gated, false))
        .contains("#define PASSED(x) x\n" + branches + "\n#pragma unroll\n");
  }

  @Test
  void includeOnABranchNotTakenNeedsNoFile() {
    assertThat(compose("good", 2, true, true)).doesNotContain("never_there");
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> compose("good", 4, true, true));
    assertThat(e).hasMessageThat().contains("never_there.cuh is missing");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "unknown-symbol | inner.cuh:4: unknown symbol DEGRE in #if DEGRE == 2",
        "missing-piece | power_attention.cu:2: included file /pieces/missing-piece/absent.cuh is"
            + " missing",
        "unclosed | power_attention.cu:4: #if without #endif",
        "stray-endif | power_attention.cu:2: #endif without #if",
        "else-twice | power_attention.cu:3: #else after #else",
        "ifdef | power_attention.cu:1: #ifdef is not resolved; use #if with a symbol of the plan",
        "nowhere | /pieces/nowhere/power_attention.cu is missing"
      })
  void malformedPieceIsRejectedWithItsFileAndLine(String pieces, String message) {
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> compose(pieces, 2, true, true));
    assertThat(e).hasMessageThat().isEqualTo(message);
  }
}
