package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.testing.compile.Compiler.javac;

import com.google.testing.compile.Compilation;
import com.google.testing.compile.Compiler;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import javax.annotation.processing.Processor;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is broken beside a declaration is the compiler's to report, and its alone. */
final class NeighboursTest {
  private static final JavaFileObject LAYER =
      Compilations.source(
          "Layer",
          """
          package p;

          @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
          interface Layer {}
          """);

  @TempDir private Path folder;

  private static void assertCompilersErrorsAlone(Compiler compiler, JavaFileObject... sources) {
    List<String> compilers =
        errors(compiler.withProcessors(new SourceGenerator("p.Never", "", 0)).compile(sources));
    assertThat(compilers).isNotEmpty();
    assertThat(errors(compiler.withProcessors(new PowerAttentionProcessor()).compile(sources)))
        .containsExactlyElementsIn(compilers);
  }

  private static List<String> errors(Compilation compilation) {
    return compilation.errors().stream()
        .map(e -> e.getLineNumber() + ":" + e.getColumnNumber() + " " + e.getMessage(Locale.ROOT))
        .toList();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "class Broken extends Missing {}",
        "class Broken { Missing field; }",
        "class Broken { void method() { missing(); } }",
        "class Broken extends Broken {}",
        "class Broken implements Layer { @Missing int field; }",
        "class Broken { int field = \"text\"; }",
        "class Broken {",
        "import missing.Missing; class Broken {}",
        "class Broken { @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)"
            + " interface Inner extends Missing {} }",
        "@org.powerattention.annotations.PowerAttention(degree = 2, headDim = Missing.SIZE)"
            + " class Broken {}",
      })
  void brokenSource(String broken) {
    assertCompilersErrorsAlone(
        Compilations.compiler(new Processor[0]),
        LAYER,
        Compilations.source("Broken", "package p; " + broken));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "@org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)"
            + " class Uses extends Broken {}",
        "@org.powerattention.annotations.PowerAttention(degree = 2, headDim = Broken.SIZE)"
            + " class Uses {}",
        "class Uses extends Broken { @org.powerattention.annotations.PowerAttention(degree = 2,"
            + " headDim = 64) interface Inner {} }",
        "class Uses { Broken field; }",
      })
  void brokenClassFile(String uses) throws IOException {
    Path classFile = folder.resolve("p/Broken.class");
    Files.createDirectories(classFile.getParent());
    Files.write(classFile, new byte[] {1, 2, 3});
    assertCompilersErrorsAlone(
        withClassPath(folder), LAYER, Compilations.source("Uses", "package p; " + uses));
  }

  @Test
  void brokenClassFileOfAnEarlierLauncherIsNoObstacle() throws IOException {
    Path classFile = folder.resolve("p/LayerLauncher.class");
    Files.createDirectories(classFile.getParent());
    Files.write(classFile, new byte[] {1, 2, 3});
    assertThat(
            errors(
                withClassPath(folder).withProcessors(new PowerAttentionProcessor()).compile(LAYER)))
        .isEmpty();
  }

  private static Compiler withClassPath(Path first) {
    List<File> path = new ArrayList<>(List.of(first.toFile(), Compilations.stubs().toFile()));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      path.add(new File(entry));
    }
    return javac().withClasspath(path);
  }
}
