package org.powerattention.runtime.cuda;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CudaUnavailableException;

/**
 * Finds {@code libnvrtc.so.12}, CUDA's runtime compiler, without a CUDA toolkit: the file that the
 * system property {@value #PROPERTY} names; else the system's; else the one that {@code
 * org.bytedeco:cuda-redist} carries. Loading it under its own name is what makes JCuda's bindings
 * link to it.
 */
final class NvrtcLibrary {
  /** System property that names the library's file. */
  static final String PROPERTY = "powerattention.nvrtc";

  private static final String NAME = "libnvrtc.so.12";
  private static final String BUILTINS = "libnvrtc-builtins.so.12";
  private static final String CUDA_REDIST = "org.bytedeco:cuda-redist:12.9-9.10-1.5.12";
  private static final String RESOURCES = "org/bytedeco/cuda/linux-x86_64/";

  private final List<String> tried = new ArrayList<>();

  private NvrtcLibrary() {}

  /**
   * Loads the library.
   *
   * @return the file it was loaded from
   * @throws CudaUnavailableException if it is nowhere; the message lists where it was looked for
   */
  static Path load() {
    return new NvrtcLibrary().find();
  }

  private Path find() {
    String named = System.getProperty(PROPERTY);
    if (named != null && !named.isBlank()) {
      Path file = Path.of(named).toAbsolutePath();
      if (loadWithBuiltins(file)) {
        return file;
      }
      throw new CudaUnavailableException(
          "the system property " + PROPERTY + " names no usable library: " + tried.get(0), null);
    }
    for (Path directory : systemDirectories(System::getenv)) {
      Path file = directory.resolve(NAME);
      if (loadWithBuiltins(file)) {
        return file;
      }
    }
    Path extracted = extracted();
    if (extracted != null && loadWithBuiltins(extracted)) {
      return extracted;
    }
    throw new CudaUnavailableException(
        "NVRTC, which compiles the generated kernels, was not found. Tried:\n  "
            + String.join("\n  ", tried)
            + "\nAdd "
            + CUDA_REDIST
            + " with classifier linux-x86_64 to the run-time class path, install CUDA 12's NVRTC,"
            + " name its file with -D"
            + PROPERTY
            + ", or compile for this GPU when the application is built (Precompiler)",
        null);
  }

  /** Directories in which a system keeps shared libraries, those a user has named first. */
  static Set<Path> systemDirectories(UnaryOperator<@Nullable String> environment) {
    Set<Path> directories = new LinkedHashSet<>();
    addAll(directories, environment.apply("LD_LIBRARY_PATH"));
    addAll(directories, System.getProperty("java.library.path"));
    for (String variable : List.of("CUDA_HOME", "CUDA_PATH")) {
      String home = environment.apply(variable);
      if (home != null && !home.isBlank()) {
        directories.add(Path.of(home, "lib64").toAbsolutePath());
      }
    }
    directories.add(Path.of("/usr/local/cuda/lib64"));
    directories.add(Path.of("/usr/lib/x86_64-linux-gnu"));
    directories.add(Path.of("/usr/lib64"));
    return directories;
  }

  private static void addAll(Set<Path> directories, @Nullable String searchPath) {
    if (searchPath != null) {
      for (String directory : searchPath.split(File.pathSeparator, -1)) {
        if (!directory.isBlank()) {
          directories.add(Path.of(directory).toAbsolutePath());
        }
      }
    }
  }

  /** Returns the copy that cuda-redist carries, as a file beside its builtins. */
  private @Nullable Path extracted() {
    URL library = NativeLibraries.findResource(RESOURCES + NAME, "cuda-redist");
    // The builtins' file name has the minor version too, which is not known before it is found.
    URL builtins = null;
    for (int minor = 20; minor >= 0 && builtins == null; minor--) {
      builtins = NativeLibraries.findResource(RESOURCES + BUILTINS + "." + minor, "cuda-redist");
    }
    if (library == null || builtins == null) {
      tried.add("class path and module path: no " + RESOURCES + NAME + " (cuda-redist)");
      return null;
    }
    try {
      Path natives = CacheDirectories.privateDirectory(CacheDirectories.root());
      return ExtractedResources.extract(natives, List.of(library, builtins)).resolve(NAME);
    } catch (IOException e) {
      tried.add(library + ": could not be extracted: " + e);
      return null;
    }
  }

  /** Loads a library after the builtins beside it, which it would not find there by itself. */
  private boolean loadWithBuiltins(Path file) {
    if (!Files.isRegularFile(file)) {
      tried.add(file + ": no such file");
      return false;
    }
    try {
      for (Path builtins : builtinsBeside(file)) {
        System.load(builtins.toString());
      }
      System.load(file.toString());
      return true;
    } catch (IllegalCallerException e) {
      throw new CudaUnavailableException(NativeLibraries.nativeAccess(), e);
    } catch (UnsatisfiedLinkError | IOException e) {
      tried.add(file + ": " + e.getMessage());
      return false;
    }
  }

  private static List<Path> builtinsBeside(Path file) throws IOException {
    Path directory = file.toRealPath().getParent();
    List<Path> builtins = new ArrayList<>();
    if (directory != null) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, BUILTINS + ".*")) {
        for (Path found : files) {
          // libnvrtc-builtins.so.12.9, and not the longer names of the files it may link to.
          if (found.getFileName().toString().matches(".*\\.so\\.12\\.\\d+")) {
            builtins.add(found);
          }
        }
      }
    }
    return builtins;
  }
}
