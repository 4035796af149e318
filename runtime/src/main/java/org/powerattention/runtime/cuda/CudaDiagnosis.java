package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.powerattention.runtime.PowerAttentionException;
import org.powerattention.runtime.spi.Memory;

/** What there is of CUDA in this process, whether it works, and what to do where it does not. */
public final class CudaDiagnosis {
  private static final int COUNT = 1_000;

  /** Adds its input to the squares of its positions: for every float exactly what Java computes. */
  private static final String SOURCE =
      """
      struct Arguments { float* x; int count; };
      extern "C" __global__ void self_test(Arguments a) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < a.count) a.x[i] += (float) (i * i);
      }
      """;

  private final CudaEnvironment environment;
  private final BiConsumer<String, String> found;
  private final Consumer<String> fix;

  CudaDiagnosis(
      CudaEnvironment environment, BiConsumer<String, String> found, Consumer<String> fix) {
    this.environment = environment;
    this.found = found;
    this.fix = fix;
  }

  /**
   * Looks at this process.
   *
   * @param found takes what was found: a subject, and what there is to say of it
   * @param fix takes what to do, in words
   */
  public static void run(BiConsumer<String, String> found, Consumer<String> fix) {
    new CudaDiagnosis(CudaEnvironment.ofProcess(), found, fix).run();
  }

  void run() {
    boolean compiles = compiler();
    cache(environment.cache().files());
    int devices;
    try {
      devices = environment.driver().devices();
      found.accept("driver", "for CUDA " + environment.driver().version());
    } catch (PowerAttentionException e) {
      problem("driver", "cannot be used", e);
      return;
    }
    for (int ordinal = 0; ordinal < devices; ordinal++) {
      device("GPU " + ordinal, ordinal, compiles);
    }
  }

  private boolean compiler() {
    try {
      Nvrtc nvrtc = environment.nvrtc().get();
      found.accept("NVRTC", nvrtc.version() + " from " + nvrtc.library());
      return true;
    } catch (PowerAttentionException e) {
      problem("NVRTC", "not found", e);
      return false;
    }
  }

  private void cache(KernelFiles files) {
    Path directory = files.directory();
    try {
      List<KernelFiles.Entry> entries =
          Files.exists(directory) ? files.entries() : new ArrayList<>();
      long bytes = entries.stream().mapToLong(KernelFiles.Entry::bytes).sum();
      found.accept(
          "cache",
          String.format(
              Locale.ROOT,
              "%s: %d kernels, %.1f of at most %d MiB",
              directory,
              entries.size(),
              bytes / (double) (1 << 20),
              files.mostBytes() >> 20));
      CacheDirectories.makePrivate(directory);
    } catch (IOException | UnsupportedOperationException e) {
      found.accept("cache", directory + " cannot be used: " + e);
      fix.accept(
          "Every process compiles its kernels anew: name a directory that can be written with -D"
              + CacheDirectories.PROPERTY
              + " or "
              + CacheDirectories.VARIABLE
              + ".");
    }
  }

  private void device(String subject, int ordinal, boolean compiles) {
    CudaDevice device;
    try {
      device = CudaDevice.of(environment.driver().calls(), ordinal);
    } catch (PowerAttentionException e) {
      problem(subject, "cannot be asked what it is", e);
      return;
    }
    found.accept(
        subject,
        String.format(
            Locale.ROOT,
            "%s, compute capability %.1f, %d multiprocessors, %d MiB; families: %s",
            device.model(),
            device.capability() / 10.0,
            device.multiprocessors(),
            device.memoryBytes() >> 20,
            families(device.capability())));
    if (!compiles) {
      found.accept(subject, "not tested, which takes NVRTC");
      return;
    }
    long start = System.nanoTime();
    try (CudaBackend backend = new CudaBackend(ordinal, environment)) {
      if (computes(backend)) {
        long millis = (System.nanoTime() - start) / 1_000_000;
        found.accept(subject, "self-test passed in " + millis + " ms");
      } else {
        found.accept(subject, "SELF-TEST FAILED: wrong numbers");
        fix.accept(
            subject
                + " computes wrong numbers: check it with nvidia-smi -q (ECC errors) and another"
                + " driver, and do not use it until then.");
      }
    } catch (PowerAttentionException e) {
      problem(subject, "SELF-TEST FAILED", e);
    }
  }

  private static String families(int capability) {
    if (capability < Target.LEAST_CAPABILITY) {
      return "none";
    }
    return capability == 90 ? "sm_90a, sm_80" : "sm_80";
  }

  /** Compiles, loads and launches a kernel, and copies to the device and back. */
  private boolean computes(CudaBackend backend) {
    Nvrtc nvrtc = environment.nvrtc().get();
    int capability = backend.device().capability();
    boolean binary = nvrtc.architectures().contains(capability);
    Target target = new Target((binary ? "sm_" : "compute_") + (binary ? capability : 80), binary);
    byte[] code = nvrtc.compile(SOURCE, "self_test.cu", "the self-test", target);
    ByteBuffer numbers = ByteBuffer.allocate(COUNT * Float.BYTES).order(ByteOrder.nativeOrder());
    for (int i = 0; i < COUNT; i++) {
      numbers.putFloat(i * Float.BYTES, i + 0.5f);
    }
    try (CudaModule module = new CudaModule(backend, code, "the self-test");
        Memory memory = backend.allocate(numbers.capacity())) {
      memory.write(0, numbers);
      ByteBuffer arguments = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder());
      arguments.putLong(0, memory.address()).putInt(8, COUNT);
      CudaKernel kernel = module.kernel("self_test", 0);
      backend.context().run(() -> kernel.launch((COUNT + 127) / 128, 1, 1, 128, 0, 0, arguments));
      memory.read(0, numbers.clear());
      for (int i = 0; i < COUNT; i++) {
        if (numbers.getFloat(i * Float.BYTES) != i + 0.5f + (float) (i * i)) {
          return false;
        }
      }
      return true;
    }
  }

  private void problem(String subject, String what, PowerAttentionException e) {
    found.accept(subject, what);
    fix.accept(subject + ": " + e.getMessage());
  }
}
