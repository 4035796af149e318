package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.testing.compile.CompilationSubject.assertThat;

import com.google.testing.compile.Compilation;
import com.google.testing.compile.JavaFileObjects;
import java.util.Locale;
import javax.tools.JavaFileObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which types may carry declarations, what their launchers are called, and who may see them. */
final class NamesTest {
  private static JavaFileObject source(String simpleName, String types) {
    return Compilations.source(
        simpleName,
        "package p;\n\nimport org.powerattention.annotations.PowerAttention;\n\n" + types);
  }

  private static String launcher(Compilation compilation, String simpleName) {
    assertThat(compilation).succeededWithoutWarnings();
    return Compilations.generated(compilation, "p/" + simpleName + ".java");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "interface Layer {}",
        "class Layer<T extends Comparable<T>> {}",
        "abstract class Layer {}",
        "record Layer(int width) {}",
        "enum Layer { A }",
        "@interface Layer {}",
        "sealed interface Layer permits Only {} record Only() implements Layer {}"
      })
  void everyKindOfTypeMayCarryADeclaration(String type) {
    Compilation compilation =
        Compilations.compile(
            source("Layer", "@PowerAttention(degree = 2, headDim = 64) public " + type));
    assertThat(launcher(compilation, "LayerLauncher")).contains("public final class LayerLauncher");
    assertThat(Compilations.generatedPaths(compilation))
        .containsExactlyElementsIn(Compilations.files("p/LayerLauncher"));
  }

  @Test
  void nestedTypeIsCalledAfterAllThatEnclosesIt() {
    Compilation compilation =
        Compilations.compile(
            source(
                "Model",
                """
                public class Model<T> {
                  public interface Blocks {
                    @PowerAttention(degree = 2, headDim = 64)
                    class Layer {}
                  }
                }
                """));
    // A member of an interface is public without saying so.
    assertThat(launcher(compilation, "Model_Blocks_LayerLauncher"))
        .contains("public final class Model_Blocks_LayerLauncher");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "class Model { @PowerAttention(degree = 2, headDim = 64) public interface Layer {} }",
        "public class Model { @PowerAttention(degree = 2, headDim = 64) interface Layer {} }",
        "public class Model { @PowerAttention(degree = 2, headDim = 64) protected interface Layer"
            + " {} }"
      })
  void launcherIsNoMoreVisibleThanItsType(String model) {
    Compilation compilation = Compilations.compile(source("Model", model));
    assertThat(launcher(compilation, "Model_LayerLauncher"))
        .contains("\nfinal class Model_LayerLauncher");
  }

  @Test
  void defaultPackageHasItsSourcesAtTheRoot() {
    Compilation compilation =
        Compilations.compile(
            JavaFileObjects.forSourceString(
                "Layer",
                "@org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)"
                    + " interface Layer {}"));
    assertThat(compilation).succeededWithoutWarnings();
    assertThat(Compilations.generatedPaths(compilation))
        .containsExactlyElementsIn(Compilations.files("LayerLauncher"));
    assertThat(Compilations.generated(compilation, "LayerLauncher.java"))
        .contains("\"/META-INF/powerattention/LayerLauncher.sm_80.cu\"");
  }

  private static final JavaFileObject REPEATED =
      source(
          "Layer",
          """
          @PowerAttention(degree = 2, headDim = 64)
          @PowerAttention(degree = 2, headDim = 32, name = "Narrow")
          @PowerAttention(degree = 4, headDim = 32, name = "Sharp")
          interface Layer {}
          """);

  @Test
  void severalDeclarationsOnOneTypeHaveALauncherEach() {
    Compilation compilation = Compilations.compile(REPEATED);
    assertThat(launcher(compilation, "LayerLauncher")).contains("new KernelSpec(2, 64, ");
    assertThat(launcher(compilation, "NarrowLauncher")).contains("new KernelSpec(2, 32, ");
    assertThat(launcher(compilation, "SharpLauncher")).contains("new KernelSpec(4, 32, ");
  }

  @Test
  void containerMayBeWrittenOut() {
    JavaFileObject source =
        source(
            "Layer",
            """
            @PowerAttention.Declarations({
              @PowerAttention(degree = 2, headDim = 64),
              @PowerAttention(degree = 2, headDim = 33, name = "Narrow")
            })
            interface Layer {}
            """);
    Compilation compilation = Compilations.compile(source);
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation)
        .hadErrorContaining("[PA002] declaration 2 of 2: headDim = 33;")
        .inFile(source)
        .onLine(7)
        .atColumn(41);
  }

  private static final JavaFileObject DUPLICATES =
      source(
          "Layer",
          """
          @PowerAttention(degree = 2, headDim = 64)
          @PowerAttention(degree = 2, headDim = 32)
          @PowerAttention(degree = 9, headDim = 32, name = "Layer")
          interface Layer {}
          """);

  @Test
  void duplicateNamesAreReportedAtEachLaterDeclaration() {
    Compilation compilation = Compilations.compile(DUPLICATES);
    assertThat(compilation).hadErrorCount(3);
    assertThat(compilation)
        .hadErrorContaining(
            "[PA007] declaration 2 of 3: the launcher would be called LayerLauncher, as that of"
                + " declaration 1 on this type; allowed: a launcher of its own for each"
                + " declaration. Add a distinct name, such as name = \"Layer2\".")
        .inFile(DUPLICATES)
        .onLine(6)
        .atColumn(1);
    assertThat(compilation)
        .hadErrorContaining("[PA007] declaration 3 of 3: the launcher would be called")
        .inFile(DUPLICATES)
        .onLine(7)
        .atColumn(50);
    assertThat(compilation)
        .hadErrorContaining("[PA001] declaration 3 of 3: degree = 9;")
        .inFile(DUPLICATES)
        .onLine(7)
        .atColumn(26);
  }

  @Test
  void mistakeInOneDeclarationLeavesTheOthersTheirLaunchers() {
    CompilerSpy spy = new CompilerSpy();
    assertThat(Compilations.compiler(spy).compile(DUPLICATES)).failed();
    assertThat(spy.origins.keySet()).contains("p.LayerLauncher");
    assertThat(spy.origins.keySet())
        .containsAtLeastElementsIn(Compilations.sources("p/LayerLauncher"));
    assertThat(spy.origins).hasSize(1 + Compilations.sources("p/LayerLauncher").size());
  }

  @Test
  void withoutTheCompilersTreesErrorsOfRepeatsAreAtTheTypeAndSayWhichOne() {
    Compilation compilation = Compilations.compiler(new CompilerSpy()).compile(DUPLICATES);
    assertThat(compilation).hadErrorCount(3);
    assertThat(compilation)
        .hadErrorContaining("[PA007] declaration 2 of 3: ")
        .inFile(DUPLICATES)
        .onLine(8);
  }

  @Test
  void privateTypeIsRejectedOnceAtItsFirstDeclaration() {
    JavaFileObject source =
        source(
            "Model",
            """
            class Model {
              private static class Blocks {
                @PowerAttention(degree = 2, headDim = 64)
                interface Layer {}
              }
            }
            """);
    Compilation compilation = Compilations.compile(source);
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation)
        .hadErrorContaining(
            "[PA008] p.Model.Blocks is private; allowed: types that their whole package can name,"
                + " because the launcher is a class of that package. Make it package-private, or"
                + " annotate another type.")
        .inFile(source)
        .onLine(7)
        .atColumn(5);
  }

  @Test
  void launcherOfAnExistingTypesNameIsRejected() {
    JavaFileObject source =
        source("Layer", "@PowerAttention(degree = 2, headDim = 64)\ninterface Layer {}\n");
    Compilation compilation =
        Compilations.compile(source, source("LayerLauncher", "class LayerLauncher {}"));
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation)
        .hadErrorContaining(
            "[PA009] the launcher would be called p.LayerLauncher, which is a type that exists"
                + " already; allowed: a name that is free in its package. Add a distinct name, such"
                + " as name = \"Layer2\", or rename one of the two.")
        .inFile(source)
        .onLine(5)
        .atColumn(1);
  }

  @Test
  void launcherOfAnotherTypesDeclarationIsRejected() {
    JavaFileObject second =
        source(
            "Other",
            "@PowerAttention(degree = 2, headDim = 64, name = \"Layer\")\ninterface Other {}\n");
    Compilation compilation =
        Compilations.compile(
            source("Layer", "@PowerAttention(degree = 2, headDim = 32)\ninterface Layer {}\n"),
            second);
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation)
        .hadErrorContaining(
            "[PA009] the launcher would be called p.LayerLauncher, which is that of a declaration"
                + " on p.Layer;")
        .inFile(second)
        .onLine(5)
        .atColumn(50);
  }

  @Test
  void nestedTypeAndTopLevelTypeCannotShareALauncher() {
    Compilation compilation =
        Compilations.compile(
            source("A_B", "@PowerAttention(degree = 2, headDim = 32) interface A_B {}"),
            source("A", "class A { @PowerAttention(degree = 2, headDim = 64) interface B {} }"));
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation)
        .hadErrorContaining("p.A_BLauncher, which is that of a declaration on p.A_B;");
  }

  @Test
  void noIgnorableCharacterPassesForPartOfAName() {
    Compilation compilation =
        Compilations.compile(
            source(
                "Layer",
                "@PowerAttention(degree = 2, headDim = 64, name = \"a\\u0000b\") interface Layer"
                    + " {}"));
    assertThat(compilation).hadErrorCount(1);
    assertThat(compilation.errors().get(0).getMessage(Locale.ROOT))
        .contains("Use a name such as \"ab\"");
  }
}
