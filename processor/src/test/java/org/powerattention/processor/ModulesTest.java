package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Declarations in named modules, which see only what they require. */
final class ModulesTest {
  @TempDir private Path folder;

  /** Compiles a declaration in a module; returns the errors and warnings. */
  private List<String> compile(String requires) throws IOException {
    Path module = folder.resolve("module-info.java");
    Path layer = folder.resolve("Layer.java");
    Files.writeString(module, "module m { " + requires + " exports p; }");
    Files.writeString(
        layer,
        """
        package p;

        @org.powerattention.annotations.PowerAttention(degree = 2, headDim = 64)
        public interface Layer {}
        """);
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      JavaCompiler.CompilationTask task =
          compiler.getTask(
              null,
              files,
              diagnostics,
              List.of(
                  "-p",
                  Compilations.modulePath(),
                  "-d",
                  folder.toString(),
                  "-Xlint:all,-processing"),
              null,
              files.getJavaFileObjects(module, layer));
      task.setProcessors(List.of(new PowerAttentionProcessor()));
      task.call();
    }
    return diagnostics.getDiagnostics().stream().map(d -> d.getMessage(Locale.ROOT)).toList();
  }

  private String launcher() throws IOException {
    return Files.readString(folder.resolve("p/LayerLauncher.java"));
  }

  @Test
  void moduleThatDoesNotReadJavaCompilerGetsALauncherWithoutGenerated() throws IOException {
    assertThat(compile("requires transitive org.powerattention.runtime;")).isEmpty();
    assertThat(launcher()).doesNotContain("Generated");
  }

  @Test
  void moduleThatReadsJavaCompilerGetsALauncherWithGenerated() throws IOException {
    assertThat(compile("requires java.compiler; requires transitive org.powerattention.runtime;"))
        .isEmpty();
    assertThat(launcher())
        .contains(
            """
            @Generated("org.powerattention.processor.PowerAttentionProcessor")
            @NullMarked
            @SuppressWarnings("exports")
            public final\
            """);
  }

  @Test
  void launcherIsNotWarnedOfWhatItsModuleDoesNotPassOn() throws IOException {
    // The declaration is the user's, who can do something about it.
    List<String> warnings = compile("requires org.powerattention.runtime;");
    assertThat(warnings).hasSize(1);
    assertThat(warnings.get(0)).startsWith("class org.powerattention.annotations.PowerAttention ");
    assertThat(launcher()).contains("@SuppressWarnings(\"exports\")");
  }

  @Test
  void moduleThatDoesNotReadTheRuntimeIsToldWhatToRequire() throws IOException {
    assertThat(compile("requires org.powerattention.annotations;"))
        .containsExactly(
            "[PA012] org.powerattention.runtime.PowerAttentionOperator cannot be found; allowed:"
                + " compiling with the runtime that launchers call. Add the dependency"
                + " org.powerattention:power-attention-runtime and `requires"
                + " org.powerattention.runtime;` to module m.");
  }
}
