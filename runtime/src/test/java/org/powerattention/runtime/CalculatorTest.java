package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

final class CalculatorTest {
  private int status;

  private String run(String... arguments) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    status = Calculator.run(arguments, new PrintStream(bytes, true, StandardCharsets.UTF_8));
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void printsWhatTheDefinitionsGive() {
    String printed =
        run(
            "--parameters",
            "124e6",
            "--layers",
            "12",
            "--heads",
            "12",
            "--context",
            "65536",
            "--head-dim",
            "64");
    assertThat(status).isEqualTo(0);
    assertThat(printed).contains("248.0 MFLOP per token");
    // 12 layers x 12 heads x 2,304 x 65 numbers of 4 bytes; 2 x 65,536 x 64 numbers of 2 bytes.
    assertThat(printed).contains("82.3 MiB");
    assertThat(printed).contains("2,304.0 MiB");
    assertThat(printed).contains("@PowerAttention(degree = 2, headDim = 64)");
  }

  @Test
  void recommendsNoStateThatIsLargerThanTheCache() {
    String printed =
        run("--parameters", "124e6", "--layers", "12", "--heads", "12", "--context", "10");
    assertThat(printed).contains("every state takes more");
    assertThat(printed).doesNotContain("@PowerAttention");
  }

  @Test
  void largerModelsGetLargerStates() {
    Calculator.Model small = new Calculator.Model(1e6, 4, 4, 4, 1 << 20);
    Calculator.Model large = new Calculator.Model(70e9, 80, 64, 64, 1 << 20);
    assertThat(large.recommend(Calculator.specs(List.of(64))).orElseThrow().degree())
        .isGreaterThan(small.recommend(Calculator.specs(List.of(64))).orElseThrow().degree());
  }

  @Test
  void wrongArgumentsAreExplained() {
    assertThat(run("--parameters", "1e6")).contains("--heads is missing");
    assertThat(status).isEqualTo(1);
    assertThat(run("--colour", "1")).contains("--colour is not an option");
    assertThat(run("--heads", "many")).contains("--heads needs a number");
    assertThat(
            run(
                "--parameters",
                "1e6",
                "--layers",
                "1",
                "--heads",
                "4",
                "--key-heads",
                "3",
                "--context",
                "9"))
        .contains("key-heads = 3; allowed: divisors of heads = 4");
  }
}
