package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.testing.compile.CompilationSubject.assertThat;

import com.google.testing.compile.Compilation;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** What is wrong in one declaration: the message, and that it is at the value and there once. */
final class DiagnosticsTest {
  /** The values start at line 5, column 17. */
  private static JavaFileObject declaring(String values) {
    return Compilations.source(
        "Layer",
        """
        package p;

        import org.powerattention.annotations.*;

        @PowerAttention(%s)
        interface Layer {}
        """
            .formatted(values));
  }

  private static final Pattern ADVICE =
      Pattern.compile("degree = (\\d) with headDim = (\\d+)( and normalized = false)?");

  private static final int LINE = 5;
  private static final int ANNOTATION_COLUMN = 1;
  private static final int VALUES_COLUMN = 17;

  /** Asserts one error at the value that is marked by brackets; else at the annotation. */
  private static void assertError(String markedValues, String message) {
    int mark = markedValues.indexOf('<');
    JavaFileObject source = declaring(markedValues.replaceAll("[<>]", ""));
    Compilation compilation = Compilations.compile(source);
    assertThat(messages(compilation)).containsExactly(message);
    assertThat(compilation)
        .hadErrorContaining(message)
        .inFile(source)
        .onLine(LINE)
        .atColumn(mark < 0 ? ANNOTATION_COLUMN : VALUES_COLUMN + mark);
  }

  private static List<String> messages(Compilation compilation) {
    return compilation.errors().stream().map(error -> error.getMessage(Locale.ROOT)).toList();
  }

  @ParameterizedTest
  @CsvSource({"0", "5", "-2"})
  void degreeOutOfRange(int degree) {
    // The unary minus is where javac has the position of a negative number.
    assertError(
        "degree = <%d>, headDim = 64".formatted(degree),
        "[PA001] degree = %d; allowed: 1, 2, 3 and 4. Use 2, the usual choice; 1 and 3 need normalized = false."
            .formatted(degree));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | 16",
        "-16 | 16",
        "72 | 64 or 80",
        "100 | 96 or 112",
        "256 | 128",
        "2147483647 | 128"
      })
  void headDimOutOfRange(int headDim, String nearest) {
    assertError(
        "degree = 2, headDim = <%d>".formatted(headDim),
        "[PA002] headDim = %d; allowed: multiples of 16 from 16 to 128. Use %s, or change the number of heads that the model's width is divided into."
            .formatted(headDim, nearest));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"-1 | 64", "63 | 64", "1000 | 960 or 1024", "65600 | 65536", "2147483647 | 65536"})
  void chunkOutOfRange(int chunk, String nearest) {
    assertError(
        "chunk = <%d>, degree = 2, headDim = 64".formatted(chunk),
        "[PA003] chunk = %d; allowed: multiples of 64 from 64 to 65536. Use %s, or leave chunk out and the cost model chooses it."
            .formatted(chunk, nearest));
  }

  private static final String ODD =
      "[PA004] normalized = true with degree = %d; allowed: true with degrees 2 and 4 only, because"
          + " weights of an odd degree can be negative and their sum can vanish. Use normalized ="
          + " false or an even degree.";

  @Test
  void oddDegreeNormalized() {
    assertError("degree = 3, headDim = 64, normalized = <true>", ODD.formatted(3));
  }

  @Test
  void oddDegreeNormalizedByDefaultIsReportedAtTheAnnotation() {
    assertError("degree = 1, headDim = 64", ODD.formatted(1));
  }

  @Test
  void stateTooLarge() {
    assertError(
        "degree = 4, headDim = <128>",
        "[PA005] degree = 4 with headDim = 128 has a state of 5.893 GiB per key/value head;"
            + " allowed: up to 1.000 GiB. Use degree = 4 with headDim = 80 (0.596 GiB), or"
            + " degree = 3 with headDim = 128 and normalized = false (0.183 GiB), or degree = 2"
            + " with headDim = 128 (0.004 GiB).");
  }

  @Test
  void stateTooLargeWithoutNormalization() {
    assertError(
        "degree = 4, headDim = <96>, normalized = false",
        "[PA005] degree = 4 with headDim = 96 has a state of 1.430 GiB per key/value head;"
            + " allowed: up to 1.000 GiB. Use degree = 4 with headDim = 80 (0.588 GiB), or"
            + " degree = 3 with headDim = 96 (0.060 GiB).");
  }

  @ParameterizedTest
  @CsvSource({"96, true", "96, false", "112, true", "112, false", "128, true", "128, false"})
  void whatIsToBeUsedInPlaceOfAStateTooLargeIsAllowed(int headDim, boolean normalized) {
    Compilation compilation =
        Compilations.compile(
            declaring("degree = 4, headDim = %d, normalized = %b".formatted(headDim, normalized)));
    String advice = messages(compilation).get(0).split(" Use ", 2)[1];
    Matcher matcher = ADVICE.matcher(advice);
    List<KernelSpec> specs = new ArrayList<>();
    while (matcher.find()) {
      boolean sum = normalized && matcher.group(3) == null;
      // Throws if it is not allowed.
      specs.add(
          KernelSpec.of(
              Integer.parseInt(matcher.group(1)),
              Integer.parseInt(matcher.group(2)),
              0,
              DType.BF16,
              true,
              sum));
    }
    assertThat(specs).hasSize(normalized ? 3 : 2);
    // What is given up is given up by no more than it must be.
    KernelSpec smallerHead = specs.get(0);
    assertThat(smallerHead.degree()).isEqualTo(4);
    assertThat(KernelSpec.stateBytes(4, smallerHead.headDim() + 16, normalized))
        .isGreaterThan(KernelSpec.MAX_STATE_BYTES);
    for (KernelSpec lowerDegree : specs.subList(1, specs.size())) {
      assertThat(lowerDegree.headDim()).isEqualTo(headDim);
      assertThat(lowerDegree.degree()).isEqualTo(lowerDegree.normalized() ? 2 : 3);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "two words | twowords",
        "a.b | ab",
        "../a | a",
        "1st | st",
        "class | Layer",
        "true | Layer",
        "' ' | Layer",
        "_ | Layer"
      })
  void nameThatIsNoIdentifier(String name, String usable) {
    assertError(
        "degree = 2, headDim = 64, name = <\"%s\">".formatted(name),
        "[PA006] name = \"%s\"; allowed: a Java identifier that is not a keyword. Use a name such as \"%s\", for a launcher called %sLauncher."
            .formatted(name, usable, usable));
  }

  @Test
  void mistakesThatAreIndependentAreAllReportedAndEachOnce() {
    JavaFileObject source =
        declaring("degree = 9, headDim = 60, chunk = 5, name = \"a b\", normalized = true");
    Compilation compilation = Compilations.compile(source);
    assertThat(messages(compilation).stream().map(message -> message.substring(0, 7)))
        .containsExactly("[PA001]", "[PA002]", "[PA003]", "[PA006]");
    assertThat(compilation).hadErrorContaining("PA001").inFile(source).onLine(LINE).atColumn(26);
    assertThat(compilation).hadErrorContaining("PA002").inFile(source).onLine(LINE).atColumn(39);
    assertThat(compilation).hadErrorContaining("PA003").inFile(source).onLine(LINE).atColumn(51);
    assertThat(compilation).hadErrorContaining("PA006").inFile(source).onLine(LINE).atColumn(61);
  }

  @Test
  void annotationOnAMethodIsLeftToTheCompiler() {
    Compilation compilation =
        Compilations.compile(
            Compilations.source(
                "Layer",
                """
                package p;

                interface Layer {
                  @org.powerattention.annotations.PowerAttention(degree = 7, headDim = 64)
                  void attend();
                }
                """));
    assertThat(compilation).hadErrorCount(1);
    assertThat(messages(compilation).get(0)).doesNotContain("[PA");
  }

  @Test
  void missingRuntimeIsReportedOnceForAllDeclarations() {
    JavaFileObject source =
        Compilations.source(
            "Layers",
            """
            package p;

            import org.powerattention.annotations.*;

            @PowerAttention(degree = 2, headDim = 64)
            interface Layers {
              @PowerAttention(degree = 2, headDim = 32)
              interface Small {}
            }
            """);
    Compilation compilation = Compilations.withoutRuntime().compile(source);
    String message =
        "[PA012] org.powerattention.runtime.PowerAttentionOperator cannot be found; allowed:"
            + " compiling with the runtime that launchers call. Add the dependency"
            + " org.powerattention:power-attention-runtime.";
    assertThat(messages(compilation)).containsExactly(message);
    assertThat(compilation).hadErrorContaining(message).inFile(source).onLine(5).atColumn(1);
  }
}
