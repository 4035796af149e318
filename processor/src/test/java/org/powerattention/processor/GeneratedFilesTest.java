package org.powerattention.processor;

import com.google.testing.compile.Compilation;
import org.junit.jupiter.api.Test;

final class GeneratedFilesTest {
  @Test
  void scratch() {
    Compilation c =
        Compilations.compiler()
            .withOptions("-Xlint:all,-processing", "-Werror")
            .compile(
                Compilations.source(
                    "ContextLayer",
                    """
                    package p;
                    import org.powerattention.annotations.PowerAttention;
                    @PowerAttention(degree = 2, headDim = 64, chunk = 1024)
                    public interface ContextLayer {}
                    """));
    System.out.println(c.diagnostics());
    System.out.println(Compilations.generatedPaths(c));
    System.out.println(Compilations.generated(c, "p/ContextLayerLauncher.java"));
    System.out.println(
        Compilations.generated(c, "META-INF/powerattention/p/ContextLayerLauncher.sm_80.cu"));
    Compilation d =
        Compilations.compile(
            Compilations.source(
                "ContextLayer",
                """
                package p;
                import org.powerattention.annotations.PowerAttention;
                @PowerAttention(degree = 7, headDim = 64, chunk = 1024)
                @PowerAttention(degree = 4, headDim = 128, chunk = 1000)
                public interface ContextLayer {}
                """));
    d.diagnostics().forEach(System.out::println);
  }
}
