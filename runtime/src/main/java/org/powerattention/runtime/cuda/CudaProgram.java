package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.powerattention.runtime.CompilationException;
import org.powerattention.runtime.KernelImage;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;

/** A program on a device: its source for the device's architecture, compiled and loaded. */
final class CudaProgram implements LoadedProgram {
  private final CudaBackend backend;
  private final CudaModule module;
  private final CudaForward forward;

  CudaProgram(CudaBackend backend, KernelProgram program) {
    this.backend = backend;
    Nvrtc nvrtc = Nvrtc.get();
    Target.Choice choice =
        Target.choose(program.images(), backend.device().capability(), nvrtc.architectures());
    byte[] code = compile(nvrtc, program, choice);
    this.module = new CudaModule(backend, code, program.name());
    try {
      this.forward = new CudaForward(program.spec(), choice.image().tiling(), module, backend);
    } catch (RuntimeException e) {
      module.close();
      throw e;
    }
  }

  /** Returns the code of a choice, from the cache if it has been compiled before. */
  private static byte[] compile(Nvrtc nvrtc, KernelProgram program, Target.Choice choice) {
    String source = source(program, choice.image());
    String resource = choice.image().resource();
    String file = resource.substring(resource.lastIndexOf('/') + 1);
    return KernelCache.shared()
        .get(
            KernelCache.key(source, choice.target().options(), nvrtc.version()),
            () -> nvrtc.compile(source, file, choice.target()));
  }

  private static String source(KernelProgram program, KernelImage image) {
    try (InputStream stream = program.anchor().getResourceAsStream(image.resource())) {
      if (stream == null) {
        throw new CompilationException(
            "the generated source "
                + image.resource()
                + " of "
                + program.name()
                + " is not beside "
                + program.anchor().getName()
                + "; rebuild it, and keep META-INF/powerattention when repacking jars",
            "");
      }
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new CompilationException(
          "the generated source " + image.resource() + " could not be read: " + e, "");
    }
  }

  @Override
  public void forward(ForwardProblem problem) {
    backend.context().run(() -> forward.launch(problem));
  }

  @Override
  public void close() {
    module.close();
  }
}
