package org.powerattention.processor.validate;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.powerattention.processor.plan.Family;
import org.powerattention.processor.plan.Part;

/**
 * What the user of a compiler asked for beside the declarations.
 *
 * @param architectures the families that sources are wanted for
 * @param cudaDirectory where else to write the CUDA sources
 * @param licenseHeader a comment to begin every file with, without its last line feed; may be empty
 */
public record Options(
    Set<Family> architectures, Optional<Path> cudaDirectory, String licenseHeader) {
  /** What holds where no option is given. */
  public static final Options DEFAULTS = new Options(Set.of(Family.values()), Optional.empty(), "");

  /** Copies the set. */
  public Options {
    architectures = Set.copyOf(architectures);
  }

  /**
   * Returns the families that a part is to be written for: for each architecture that is wanted,
   * the newest that runs on it.
   */
  public Set<Family> families(Part part) {
    return architectures.stream()
        .flatMap(
            wanted ->
                part.families().stream()
                    .filter(family -> family.compareTo(wanted) <= 0)
                    .max(Comparator.naturalOrder())
                    .stream())
        .collect(Collectors.toSet());
  }
}
