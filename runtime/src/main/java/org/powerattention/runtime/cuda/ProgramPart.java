package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
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
    Code<T> code = code(Target.upTo(images, System.getProperty(Target.FAMILY_PROPERTY)));
    CudaModule fresh = new CudaModule(backend, code.binary(), what());
    try {
      result = launches.of(code.image().tiling(), fresh);
    } catch (RuntimeException e) {
      fresh.close();
      throw e;
    }
    module = fresh;
    loaded = result;
    return result;
  }

  /** An image, and what the driver is to load of it. */
  private record Code<T extends Tiling>(KernelImage<T> image, byte[] binary) {}

  /** Returns what was compiled when the application was built, or else at run time. */
  private Code<T> code(List<KernelImage<T>> used) {
    int capability = backend.device().capability();
    Target.Choice<T> own = Target.own(used, capability);
    if (own != null) {
      String resource = own.image().resource();
      byte[] built = Precompiled.find(program.anchor(), resource, source(resource), own.target());
      if (built != null) {
        return new Code<>(own.image(), built);
      }
    }
    // Only now: finding the compiler takes time, and there may be none.
    Nvrtc nvrtc = backend.environment().nvrtc().get();
    Target.Choice<T> choice = Target.choose(used, capability, nvrtc.architectures());
    return new Code<>(choice.image(), compile(nvrtc, choice));
  }

  /** Returns the code of a choice, from the cache if it has been compiled before. */
  private byte[] compile(Nvrtc nvrtc, Target.Choice<T> choice) {
    String resource = choice.image().resource();
    String source = source(resource);
    return backend
        .environment()
        .cache()
        .get(
            KernelCache.key(source, choice.target().options(), nvrtc.build()),
            () ->
                nvrtc.compile(
                    source,
                    resource.substring(resource.lastIndexOf('/') + 1),
                    resource + " of " + what() + " for " + backend.name(),
                    choice.target()));
  }

  /** Returns the sources of all families, of which the device takes one. */
  String sources() {
    return images.stream().map(image -> source(image.resource())).collect(Collectors.joining());
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
