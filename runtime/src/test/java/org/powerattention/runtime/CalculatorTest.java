package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

final class CalculatorTest {
  private int status;
  private String errors = "";

  private String run(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    status =
        Calculator.run(
            arguments,
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8));
    errors = err.toString(StandardCharsets.UTF_8);
    return out.toString(StandardCharsets.UTF_8);
  }

  private void assertRefused(String message, String arguments) {
    assertThat(run(arguments.split(" "))).isEmpty();
    assertThat(errors).contains(message);
    assertThat(errors).contains("usage:");
    assertThat(status).isEqualTo(1);
  }

  /** Runs the command of docs/choosing.md, and looks for each line that is printed below it. */
  @Test
  void theExampleOfTheDocumentationIsWhatItPrints() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "choosing.md"));
    Matcher command = Pattern.compile("runtime\\.Calculator \\\\\n(.*)\n").matcher(page);
    assertThat(command.find()).isTrue();
    List<String> printed = run(command.group(1).trim().split(" ")).lines().toList();
    int from = page.indexOf("```text\n", command.end()) + "```text\n".length();
    List<String> shown = page.substring(from, page.indexOf("```", from)).lines().toList();
    assertThat(shown.size()).isAtLeast(5);
    assertThat(printed).containsAtLeastElementsIn(shown).inOrder();
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
    assertRefused("--heads is missing", "--parameters 1e6");
    assertRefused("--colour is not an option", "--colour 1");
    assertRefused("heads is not an option", "heads 12");
    assertRefused("--heads = many; allowed: whole numbers from 1 to 1e+05", "--heads many");
    assertRefused("--heads = 0; allowed", "--heads 0");
    assertRefused("--heads = -12; allowed", "--heads -12");
    assertRefused("--heads = 1.5; allowed", "--heads 1.5");
    assertRefused("--layers = 1e10; allowed", "--layers 1e10");
    assertRefused("--context = 1e30; allowed", "--context 1e30");
    assertRefused("--context = nothing; allowed", "--context");
    assertRefused("--heads is given twice", "--heads 12 --heads 12");
    String rest = "--parameters 1e6 --layers 1 --context 9 --heads 4 ";
    assertRefused("key-heads = 3; allowed: divisors of heads = 4", rest + "--key-heads 3");
    assertRefused("headDim = 17; allowed: multiples of 16", rest + "--head-dim 17");
  }

  @Test
  void helpIsNoError() {
    assertThat(run("--help")).startsWith("usage:");
    assertThat(status).isEqualTo(0);
    assertThat(errors).isEmpty();
  }

  /** What is printed of the greatest numbers is still positive. */
  @Test
  void theGreatestNumbersDoNotOverflow() {
    String printed = run("--parameters 1e15 --layers 1e5 --heads 1e5 --context 1e12".split(" "));
    assertThat(status).isEqualTo(0);
    assertThat(printed).doesNotContain("-");
  }
}
