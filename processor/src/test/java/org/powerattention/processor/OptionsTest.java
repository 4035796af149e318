package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static com.google.testing.compile.CompilationSubject.assertThat;

import com.google.testing.compile.Compilation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The processor's options: what each does, and what is said of one that is wrong. */
final class OptionsTest {
  private static final JavaFileObject LAYER =
      Compilations.source(
          "Layer",
          """
          package p;

          @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
          interface Layer {}
          """);

  @TempDir private Path folder;

  /** Compiles with options of ours, and with lints on that complain of options. */
  private static Compilation compile(String... options) {
    return Compilations.compiler()
        .withOptions(
            Stream.concat(
                    Stream.of("-Xlint:processing"),
                    Stream.of(options).map(option -> "-Apowerattention." + option))
                .toList())
        .compile(LAYER);
  }

  private static Stream<String> messages(Compilation compilation) {
    return compilation.diagnostics().stream()
        .map(diagnostic -> diagnostic.getMessage(Locale.ROOT))
        // What the lint says of the annotations that a launcher carries, with or without options.
        .filter(message -> !message.startsWith("No processor claimed"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "sm_80 | .sm_80 .backward.sm_80 .serving.sm_80",
        "sm_90a | .sm_90a .backward.sm_90a .serving.sm_80",
        "'sm_90a, sm_80' | .sm_80 .sm_90a .backward.sm_80 .backward.sm_90a .serving.sm_80"
      })
  void architecturesGetTheNewestSourcesThatRunOnThem(String architectures, String sources) {
    Compilation compilation = compile("architectures=" + architectures);
    assertThat(messages(compilation).toList()).isEmpty();
    assertThat(
            Compilations.generatedPaths(compilation).stream()
                .filter(path -> path.endsWith(".cu"))
                .toList())
        .containsExactlyElementsIn(
            Stream.of(sources.split(" "))
                .map(name -> "META-INF/powerattention/p/LayerLauncher" + name + ".cu")
                .toList());
    String launcher = Compilations.generated(compilation, "p/LayerLauncher.java");
    for (String family : new String[] {"sm_80", "sm_90a"}) {
      for (String part : new String[] {"", ".backward", ".serving"}) {
        String name = part + "." + family;
        assertWithMessage(name)
            .that(launcher.contains("LayerLauncher" + name + ".cu\""))
            .isEqualTo(Stream.of(sources.split(" ")).anyMatch(name::equals));
      }
    }
  }

  @Test
  void cudaDirectoryGetsCopies() throws IOException {
    Path directory = folder.resolve("made/when needed");
    Compilation compilation = compile("cudaDirectory=" + directory);
    assertThat(messages(compilation).toList()).isEmpty();
    for (String path : Compilations.sources("p/LayerLauncher")) {
      assertThat(Files.readString(directory.resolve(path.replace("META-INF/powerattention/", ""))))
          .isEqualTo(Compilations.generated(compilation, path));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "// Copyright\r\n// Us\r\n",
        "/*\n * Copyright\n */\n",
        "/* Copyright */",
        "\n//\n"
      })
  void licenseHeaderBeginsEveryFile(String header) throws IOException {
    Path file = Files.writeString(folder.resolve("header.txt"), header);
    Compilation plain = compile();
    Compilation licensed = compile("licenseHeader=" + file);
    assertThat(messages(licensed).toList()).isEmpty();
    for (String path : Compilations.files("p/LayerLauncher")) {
      assertThat(Compilations.generated(licensed, path))
          .isEqualTo(
              header.replace("\r", "").strip() + "\n\n" + Compilations.generated(plain, path));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"Copyright", "", "/* one */ int x; /* two */", "// one\nint x;", "/* open", "/*/"})
  void licenseHeaderThatIsNoCommentIsAnErrorAndLeftOut(String header) throws IOException {
    Path file = Files.writeString(folder.resolve("header.txt"), header);
    assertThat(messages(compile("licenseHeader=" + file)).toList())
        .containsExactly(
            "[PA014] powerattention.licenseHeader = "
                + file
                + "; allowed: a text file in UTF-8 that holds one comment. Use an absolute path,"
                + " and begin the file with /* and end it with */, or each line with //.");
  }

  @Test
  void licenseHeaderThatCannotBeReadIsAnErrorThatSaysWhy() throws IOException {
    Path missing = folder.resolve("missing");
    assertThat(messages(compile("licenseHeader=" + missing)).toList())
        .containsExactly(
            "[PA014] powerattention.licenseHeader = "
                + missing
                + "; allowed: a text file in UTF-8 that holds one comment"
                + " (java.nio.file.NoSuchFileException: "
                + missing
                + "). Use an absolute path, and begin the file with /* and end it with */, or each"
                + " line with //.");
    Path latin = folder.resolve("latin");
    Files.write(latin, new byte[] {'/', '/', (byte) 0xa9});
    assertThat(messages(compile("licenseHeader=" + latin)).toList().get(0))
        .contains("MalformedInputException");
  }

  @Test
  void cudaDirectoryThatIsAFileIsAnError() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertThat(messages(compile("cudaDirectory=" + file)).toList())
        .containsExactly(
            "[PA014] powerattention.cudaDirectory = "
                + file
                + "; allowed: a directory, which is made if it does not exist. Use an absolute"
                + " path, such as one below the build's output directory.");
  }

  @Test
  void cudaDirectoryThatCannotBeWrittenIsReportedAtTheDeclaration() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    Compilation compilation = compile("cudaDirectory=" + file.resolve("below"));
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation).hadErrorContaining("[PA010]").inFile(LAYER).onLine(3);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "architecture=sm_80 | architectures",
        "cudaDir=/tmp | cudaDirectory",
        "licenceheader | licenseHeader"
      })
  void unknownOptionIsOneWarningThatNamesTheNearest(String option, String nearest) {
    Compilation compilation = compile(option);
    assertThat(compilation).succeeded();
    assertThat(messages(compilation).toList())
        .containsExactly(
            "[PA013] powerattention."
                + option.split("=")[0]
                + " is not an option; allowed: powerattention.architectures,"
                + " powerattention.cudaDirectory, powerattention.licenseHeader. Use"
                + " powerattention."
                + nearest
                + ", or leave it out.");
  }

  @Test
  void optionsOfOthersAreLeftToJavac() {
    Compilation compilation =
        Compilations.compiler().withOptions("-Apower=1", "-Aarchitectures=x").compile(LAYER);
    assertThat(messages(compilation).toList())
        .containsExactly(
            "The following options were not recognized by any processor: '[architectures, power]'");
  }

  @Test
  void compilationWithoutADeclarationHearsNothingOfOurs() {
    Compilation compilation =
        Compilations.compiler()
            .withOptions("-Apowerattention.architectures=unknown")
            .compile(Compilations.source("Plain", "package p; class Plain {}"));
    assertThat(messages(compilation).filter(message -> message.contains("[PA")).toList()).isEmpty();
  }
}
