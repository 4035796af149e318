package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.processor.validate.Problem;

/**
 * Kotlin: every problem of the catalogue through kapt, with its message, line and column and once;
 * and what Kotlin takes a launcher's parameters for.
 */
final class KotlinTest {
  /** An error or warning, its line, and the caret below it. */
  private static final Pattern DIAGNOSTIC =
      Pattern.compile(
          "(?m)^(?:error|warning): (?:.*/(\\w+)\\.kt:(\\d+): )?(?:(?:error|warning): )?(.*)"
              + "(?:\\n.*\\n( *)\\^$)?");

  private static final Path GOLDEN =
      Path.of("src/test/resources/goldens/p/ContextLayerLauncher.java");

  @TempDir private static Path folder;

  private static String mistakes;
  private static String withoutRuntime;
  private static String uses;

  @BeforeAll
  static void compile() throws IOException, InterruptedException {
    List<Path> sources = new ArrayList<>();
    for (Mistake mistake : Mistake.ofTypes()) {
      sources.add(write(mistake.problem().code(), mistake.kotlinText()));
    }
    List<String> kaptOfMistakes =
        KotlinCompiler.kapt(
            folder.resolve("mistakes"),
            sources,
            FailingProcessor.class,
            Mistake.OPTIONS,
            Compilations.stubs());
    Mistake missing = Mistake.WITHOUT_RUNTIME;
    List<String> kaptWithoutRuntime =
        KotlinCompiler.kapt(
            folder.resolve("without-runtime"),
            List.of(write(missing.problem().code(), missing.kotlinText())),
            PowerAttentionProcessor.class,
            Map.of());
    List<String> compilerOfUses =
        KotlinCompiler.compile(
            folder.resolve("uses"),
            List.of(
                GOLDEN,
                write(
                    "Uses",
                    """
                    package p

                    import org.powerattention.runtime.*

                    fun right(launcher: ContextLayerLauncher, x: Tensor, options: BackwardOptions): Tensor {
                      launcher.backward(0, 0, 0, 0, 0, 0, 0, 0, 0, null, 1, 1, 1, 1, options)
                      return launcher.forward(x, x, x, x)
                    }
                    """),
                write(
                    "Wrong",
                    """
                    package p

                    import org.powerattention.runtime.*

                    fun wrong(launcher: ContextLayerLauncher, x: Tensor) = launcher.forward(x, x, x, null)
                    """)),
            Compilations.stubs());
    List<String> outputs =
        KotlinCompiler.run(folder, List.of(kaptOfMistakes, kaptWithoutRuntime, compilerOfUses));
    mistakes = outputs.get(0);
    withoutRuntime = outputs.get(1);
    uses = outputs.get(2);
  }

  private static Path write(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name + ".kt"), text);
  }

  @Test
  void everyMistakeIsReportedOnceInItsFile() {
    List<String> expected = new ArrayList<>(Mistake.OF_OPTIONS);
    for (Mistake mistake : Mistake.ofTypes()) {
      // What is private in Kotlin is package-private in what kapt shows of it.
      if (mistake.problem() != Problem.PRIVATE_TYPE) {
        expected.add(mistake.problem().code() + ":" + mistake.inKotlin());
      }
    }
    assertThat(diagnostics(mistakes)).containsExactlyElementsIn(expected);
  }

  @Test
  void missingRuntime() {
    assertThat(diagnostics(withoutRuntime))
        .containsExactly("PA012:" + Mistake.WITHOUT_RUNTIME.inKotlin());
  }

  @Test
  void onlyWhatMayBeNullMayBeNull() {
    assertThat(uses)
        .contains("Wrong.kt:5:82: error: null cannot be a value of a non-null type 'Tensor'.");
    assertThat(uses.split("error:|warning:", -1)).hasLength(2);
  }

  private static List<String> diagnostics(String output) {
    List<String> found = new ArrayList<>();
    Matcher matcher = DIAGNOSTIC.matcher(output);
    while (matcher.find()) {
      String place =
          matcher.group(1) == null
              ? ""
              : matcher.group(1)
                  + ":"
                  + matcher.group(2)
                  + ":"
                  + (matcher.group(4).length() + 1)
                  + " ";
      found.add(place + matcher.group(3));
    }
    return found;
  }
}
