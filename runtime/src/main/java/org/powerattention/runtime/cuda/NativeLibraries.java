package org.powerattention.runtime.cuda;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.jar.JarFile;
import jcuda.JCudaVersion;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CudaUnavailableException;

/**
 * Loads JCuda's native libraries from files that have been checked.
 *
 * <p>JCuda's classes load their libraries when they are initialised: from {@code
 * java.library.path}, else from a file in {@code java.io.tmpdir}, which they use as it is if it
 * exists, however incomplete. So the file is put, intact, into a private directory, and {@code
 * java.io.tmpdir} names that directory just while the class initialises.
 */
final class NativeLibraries {
  private static final Object LOCK = new Object();

  private NativeLibraries() {}

  /** Loads the driver bindings; they need the driver's {@code libcuda.so.1}. */
  static void loadDriverBindings() {
    load("jcuda.driver.JCudaDriver", "JCudaDriver");
  }

  /** Loads the NVRTC bindings; they need {@code libnvrtc.so.12}, found by {@link NvrtcLibrary}. */
  static void loadNvrtcBindings() {
    load("jcuda.nvrtc.JNvrtc", "JNvrtc");
  }

  /**
   * Checks the platform.
   *
   * @throws CudaUnavailableException if JCuda has no libraries for it
   */
  static void checkPlatform(String os, String architecture) {
    String arch = architecture.toLowerCase(Locale.ROOT);
    if (!os.toLowerCase(Locale.ROOT).startsWith("linux")
        || !(arch.equals("amd64") || arch.equals("x86_64"))) {
      throw new CudaUnavailableException(
          "CUDA is supported on Linux x86-64 only; this is " + os + " " + architecture, null);
    }
  }

  private static void load(String className, String baseName) {
    checkPlatform(System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
    String file = "lib" + baseName + "-" + JCudaVersion.get() + "-linux-x86_64.so";
    URL resource = findResource("lib/" + file, "jcuda-natives");
    if (resource == null) {
      throw new CudaUnavailableException(
          file
              + " is not on the class path or module path; add org.jcuda:jcuda-natives:"
              + JCudaVersion.get()
              + " with classifier linux-x86_64",
          null);
    }
    try {
      Path natives = CacheDirectories.privateDirectory(CacheDirectories.root());
      initialize(className, ExtractedResources.extract(natives, List.of(resource)));
    } catch (IOException e) {
      throw new CudaUnavailableException(
          "JCuda's library "
              + file
              + " could not be written below "
              + CacheDirectories.root()
              + " or the temporary directory ("
              + e
              + "); name a writable directory with -D"
              + CacheDirectories.PROPERTY,
          e);
    }
  }

  /**
   * Initialises a class of JCuda's so that it loads its library from a directory.
   *
   * @throws CudaUnavailableException if the library cannot be linked
   */
  private static void initialize(String className, Path directory) throws IOException {
    synchronized (LOCK) {
      // The JDK remembers the property when the first temporary file is made; have it do so now.
      Files.deleteIfExists(File.createTempFile("powerattention", null).toPath());
      Files.deleteIfExists(Files.createTempFile("powerattention", null));
      String before = System.getProperty("java.io.tmpdir");
      System.setProperty("java.io.tmpdir", directory.toString());
      try {
        Class.forName(className, true, NativeLibraries.class.getClassLoader());
      } catch (LinkageError e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        throw new CudaUnavailableException(explain(String.valueOf(cause.getMessage())), e);
      } catch (ClassNotFoundException e) {
        throw new CudaUnavailableException(
            className + " is missing; add org.jcuda:jcuda:" + JCudaVersion.get(), e);
      } finally {
        System.setProperty("java.io.tmpdir", before);
      }
    }
  }

  /** Says what to do where the JVM refuses native access (from JDK 24 on, if told to). */
  static String nativeAccess() {
    return "this JVM refuses native access, without which CUDA cannot be used; start it with"
        + " --enable-native-access=ALL-UNNAMED, or, on the module path, with"
        + " --enable-native-access=org.powerattention.runtime,jcuda";
  }

  /** Says in words why a library could not be linked, from what the dynamic linker said. */
  static String explain(String message) {
    if (message.contains("Illegal native access")) {
      return nativeAccess();
    }
    if (message.contains("libcuda.so.1")) {
      return "no NVIDIA driver was found: the dynamic linker finds no libcuda.so.1; install the"
          + " driver, or make it visible (in a container: start it with GPU access)";
    }
    if (message.contains("undefined symbol") || message.contains("GLIBC")) {
      return "the NVIDIA driver or the C library is too old for CUDA 12: "
          + linkerLine(message)
          + "; update the driver";
    }
    if (message.contains("failed to map segment") || message.contains("Operation not permitted")) {
      return "a native library could not be mapped, as on a file system mounted noexec: "
          + linkerLine(message)
          + "; name another directory with -D"
          + CacheDirectories.PROPERTY;
    }
    return "JCuda's native library could not be loaded: " + linkerLine(message);
  }

  /** Returns the last link error that JCuda's report quotes, which is that of the checked file. */
  private static String linkerLine(String message) {
    String prefix = "java.lang.UnsatisfiedLinkError: ";
    return message
        .lines()
        .filter(line -> line.startsWith(prefix))
        .map(line -> line.substring(prefix.length()))
        .reduce((first, last) -> last)
        .orElse(message.lines().findFirst().orElse(message));
  }

  /**
   * Finds a resource on the class path, or in a jar of the module path that no module requires.
   *
   * @param artifact how that jar's file name starts
   */
  static @Nullable URL findResource(String name, String artifact) {
    ClassLoader own = NativeLibraries.class.getClassLoader();
    ClassLoader context = Thread.currentThread().getContextClassLoader();
    for (ClassLoader loader : new @Nullable ClassLoader[] {own, context}) {
      URL url = loader == null ? null : loader.getResource(name);
      if (url != null) {
        return url;
      }
    }
    for (String element : System.getProperty("jdk.module.path", "").split(File.pathSeparator, -1)) {
      URL url = element.isEmpty() ? null : inModulePath(Path.of(element), name, artifact);
      if (url != null) {
        return url;
      }
    }
    return null;
  }

  private static @Nullable URL inModulePath(Path element, String name, String artifact) {
    if (Files.isDirectory(element)) {
      File[] jars = element.toFile().listFiles((directory, file) -> file.endsWith(".jar"));
      for (File jar : jars == null ? new File[0] : jars) {
        URL url = inModulePath(jar.toPath(), name, artifact);
        if (url != null) {
          return url;
        }
      }
      return null;
    }
    String file = String.valueOf(element.getFileName());
    if (!file.startsWith(artifact) || !file.endsWith(".jar") || !Files.isReadable(element)) {
      return null;
    }
    try (JarFile jar = new JarFile(element.toFile())) {
      return jar.getEntry(name) == null
          ? null
          : URI.create("jar:" + element.toUri() + "!/" + name).toURL();
    } catch (IOException e) {
      return null;
    }
  }
}
