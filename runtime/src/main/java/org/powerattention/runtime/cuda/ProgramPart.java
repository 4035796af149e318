package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CompilationException;
import org.powerattention.runtime.KernelImage;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.Tiling;

/**
 * One part of a program on a device. Its source for the device's architecture is compiled and
 * loaded when it is first asked for, since many processes never use some part.
 *
 * @param <T> what its launches need to know
 * @param <L> what launches its kernels
 */
final class ProgramPart<T extends Tiling, L> implements AutoCloseable {
  /** Makes what launches a loaded part's kernels. */
  interface Launches<T extends Tiling, L> {
    /** Returns it; the module stays open as long as it is used. */
    L of(T tiling, CudaModule module);
  }

  private final CudaBackend backend;
  private final KernelProgram program;
  private final List<KernelImage<T>> images;
  private final Launches<T, L> launches;

  private @Nullable CudaModule module;
  private volatile @Nullable L loaded;
  private boolean closed;

  /**
   * Creates a part that is not loaded yet.
   *
   * @param program what it is a part of
   * @param images its sources, oldest family first
   * @param launches makes its result
   */
  ProgramPart(
      CudaBackend backend,
      KernelProgram program,
      List<KernelImage<T>> images,
      Launches<T, L> launches) {
    this.backend = backend;
    this.program = program;
    this.images = images;
    this.launches = launches;
  }

  /**
   * Returns what launches its kernels. The first call loads them, and others wait for it; if that
   * fails, the next one tries again.
   *
   * @throws CompilationException if the source is missing or does not compile
   */
  L get() {
    L result = loaded;
    return result == null ? load() : result;
  }

  private synchronized L load() {
    L result = loaded;
    if (result != null) {
      return result;
    }
    if (closed) {
      throw new IllegalStateException(program.name() + " is closed");
    }
    Nvrtc nvrtc = backend.environment().nvrtc().get();
    List<KernelImage<T>> used = Target.upTo(images, System.getProperty(Target.FAMILY_PROPERTY));
    Target.Choice<T> choice =
        Target.choose(used, backend.device().capability(), nvrtc.architectures());
    CudaModule fresh = new CudaModule(backend, compile(nvrtc, choice), what());
    try {
      result = launches.of(choice.image().tiling(), fresh);
    } catch (RuntimeException e) {
      fresh.close();
      throw e;
    }
    module = fresh;
    loaded = result;
    return result;
  }

  /** Returns the code of a choice, from the cache if it has been compiled before. */
  private byte[] compile(Nvrtc nvrtc, Target.Choice<T> choice) {
    String resource = choice.image().resource();
    String source = source(resource);
    String file = resource.substring(resource.lastIndexOf('/') + 1);
    return backend
        .environment()
        .cache()
        .get(
            KernelCache.key(source, choice.target().options(), nvrtc.build()),
            () ->
                nvrtc.compile(
                    source,
                    file,
                    resource + " of " + what() + " for " + backend.name(),
                    choice.target()));
  }

  /** Returns what is compiled and run, in words. */
  private String what() {
    return program.name() + ", " + program.spec();
  }

  private String source(String resource) {
    try (InputStream stream = program.anchor().getResourceAsStream(resource)) {
      if (stream == null) {
        throw new CompilationException(
            "the generated source "
                + resource
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
          "the generated source " + resource + " could not be read: " + e, "");
    }
  }

  /** Unloads the kernels, if they were loaded. */
  @Override
  public synchronized void close() {
    closed = true;
    loaded = null;
    CudaModule last = module;
    module = null;
    if (last != null) {
      last.close();
    }
  }
}
