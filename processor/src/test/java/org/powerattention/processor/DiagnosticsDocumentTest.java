package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;

import com.google.testing.compile.Compilation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.powerattention.processor.validate.Problem;

/** Holds {@code docs/diagnostics.md} against the catalogue. */
final class DiagnosticsDocumentTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "diagnostics.md");
  private static final Pattern EXAMPLE = Pattern.compile("`(degree = [^`]*)`");

  private static List<String> rows() throws IOException {
    return Files.readAllLines(DOCUMENT).stream().filter(line -> line.startsWith("| PA")).toList();
  }

  private static String code(String row) {
    return row.substring(2, 7);
  }

  private static List<String> catalogue() {
    return Arrays.stream(Problem.values()).map(Problem::code).toList();
  }

  @Test
  void listsEveryCodeOnceInOrder() throws IOException {
    assertThat(rows().stream().map(DiagnosticsDocumentTest::code).toList()).isEqualTo(catalogue());
  }

  @Test
  void codesAreNumberedFromOne() {
    assertThat(catalogue())
        .isEqualTo(
            IntStream.rangeClosed(1, Problem.values().length)
                .mapToObj("PA%03d"::formatted)
                .toList());
  }

  @Test
  void readmeShowsWhatJavacShows() throws IOException {
    String readme = Files.readString(Path.of("..", "README.md"));
    Matcher shown =
        Pattern.compile("ContextLayer\\.java:5: error: ([^@]*)\n(@.*)\n( *)\\^").matcher(readme);
    assertThat(shown.find()).isTrue();
    Compilation compilation =
        Compilations.compile(
            Compilations.source(
                "ContextLayer",
                "package p;\n\nimport org.powerattention.annotations.*;\n\n%s\ninterface ContextLayer {}"
                    .formatted(shown.group(2))));
    assertThat(compilation.errors()).hasSize(1);
    assertThat(shown.group(1).replace('\n', ' '))
        .isEqualTo(compilation.errors().get(0).getMessage(Locale.ROOT));
    assertThat(shown.group(3).length() + 1)
        .isEqualTo(compilation.errors().get(0).getColumnNumber());
  }

  @Test
  void examplesOfValuesGiveTheirCode() throws IOException {
    int examples = 0;
    for (String row : rows()) {
      Matcher values = EXAMPLE.matcher(row);
      if (!values.find()) {
        continue;
      }
      examples++;
      String source =
          "package p;\n@org.powerattention.annotations.PowerAttention(%s)\ninterface Layer {}\n"
              .formatted(values.group(1));
      assertThat(
              Compilations.compile(Compilations.source("Layer", source)).errors().stream()
                  .map(error -> error.getMessage(Locale.ROOT).substring(0, 7))
                  .toList())
          .containsExactly("[" + code(row) + "]");
    }
    assertThat(examples).isEqualTo(6);
  }
}
