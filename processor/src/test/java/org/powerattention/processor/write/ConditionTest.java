package org.powerattention.processor.write;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ConditionTest {
  private static final Map<String, Integer> SYMBOLS = Map.of("ZERO", 0, "ONE", 1, "P", 3);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "1",
        "ONE",
        "!ZERO",
        "!!P",
        "P == 3",
        "P != 4",
        "P<4&&P>2",
        "P <= 3 && P >= 3",
        "ZERO || ONE && ONE",
        "ONE || ZERO && ZERO", // && binds tighter
        "1 == P > 2", // > binds tighter
        "!(ONE && ZERO)",
        "(ZERO || (P == 3))",
        "!ZERO == 1", // ! binds tighter
        "3 > 2 > 0" // from the left: (3 > 2) > 0
      })
  void holds(String expression) {
    assertThat(Condition.holds(expression, SYMBOLS)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0",
        "ZERO",
        "!P",
        "P == 2",
        "P < 3",
        "P > 3",
        "(ONE || ZERO) && ZERO",
        "3 > 2 > 1"
      })
  void doesNotHold(String expression) {
    assertThat(Condition.holds(expression, SYMBOLS)).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "Q == 1; unknown symbol Q in #if Q == 1",
        "ONE || Q; unknown symbol Q in #if ONE || Q",
        "ZERO && Q; unknown symbol Q in #if ZERO && Q",
        "(ONE; missing ) in #if (ONE",
        "ONE &&; missing operand in #if ONE &&",
        "&& ONE; missing operand in #if && ONE",
        "ONE & ONE; cannot read & ONE in #if ONE & ONE",
        "ONE); unexpected ) in #if ONE)",
        "ONE ONE; unexpected ONE in #if ONE ONE",
        "P + 1; cannot read + 1 in #if P + 1",
        "1u; cannot read 1u in #if 1u",
        "''; missing operand in #if ''",
      })
  void malformedExpressionIsRejected(String expression, String message) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Condition.holds(expression, SYMBOLS));
    assertThat(e).hasMessageThat().isEqualTo(message.replace("''", ""));
  }
}
