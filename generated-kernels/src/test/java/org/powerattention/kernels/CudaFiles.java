package org.powerattention.kernels;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The catalogue's CUDA sources on disk. */
public final class CudaFiles {
  private CudaFiles() {}

  /** Returns the directory in which the processor has put them. */
  public static Path emitted() {
    try {
      Path classes =
          Path.of(Catalogue.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return classes.resolve("META-INF/powerattention/org/powerattention/kernels");
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /** Returns the names of the sources in a directory, sorted; none if it does not exist. */
  public static Set<String> in(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      return Set.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".cu"))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }
}
