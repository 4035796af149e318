package org.powerattention.kernels.accuracy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes the sources of Hopper's kernels so that {@code compute-sanitizer --tool racecheck} can
 * follow them. The tool does not count arrivals at a barrier that copies make by themselves, and
 * does not see that one lane which arrives has met its warp's others first; as they are, it reports
 * reads and writes that these two keep apart. Here each thread waits for its copies and arrives,
 * and each lane arrives for itself: what is read and written, and at which barriers it waits, is
 * the same.
 *
 * <p>See docs/gpu-bundle.md for how to run it.
 */
final class RacecheckSources {
  /** What is replaced, and what by. */
  private record Change(String what, String by) {}

  private static final List<Change> CHANGES =
      List.of(
          new Change(
              """
                asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(
                                 shared_address(&barrier))
                             : "memory");
              """,
              """
                asm volatile("cp.async.wait_all;" ::: "memory");
                barrier_arrive(barrier);
              """),
          new Change(
              "if (threadIdx.x % 32 == 0) barrier_arrive(shared.empty[",
              "barrier_arrive(shared.empty["),
          new Change(
              "barrier_init(empty[stage], kStateMultipliers / 32)",
              "barrier_init(empty[stage], kStateMultipliers)"),
          new Change(
              "if (threadIdx.x % 32 == 0) barrier_arrive(shared.keys_empty[",
              "barrier_arrive(shared.keys_empty["),
          new Change(
              "barrier_init(shared.keys_empty[stage], kMultipliers / 32)",
              "barrier_init(shared.keys_empty[stage], kMultipliers)"));

  private RacecheckSources() {}

  /**
   * Takes a folder, which is to be on the boot class path of {@link KernelTour}, and optionally a
   * regular expression of the operators.
   */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length < 1 || arguments.length > 2) {
      throw new IllegalArgumentException("usage: RacecheckSources folder [operators]");
    }
    String names = arguments.length > 1 ? arguments[1] : ".*";
    for (TestOperator operator : KernelTour.operators(names)) {
      for (Part part : Part.values()) {
        String source = part.sourceOf(operator);
        if (source != null && isAsynchronous(source)) {
          Path file = Path.of(arguments[0]).resolve(part.resourceOf(operator));
          Files.createDirectories(file.getParent());
          Files.writeString(file, part.followed(source));
          System.out.println(file);
        }
      }
    }
  }

  /** Whether a source has anything to change: those by {@code mma.sync} do not. */
  static boolean isAsynchronous(String source) {
    return source.contains("barrier_arrive_when_copied(");
  }

  /** A part of an operator's sources for Hopper. */
  enum Part {
    FORWARD("", CHANGES),
    BACKWARD(".backward", CHANGES.subList(0, 3));

    private final String name;
    private final List<Change> changes;

    Part(String name, List<Change> changes) {
      this.name = name;
      this.changes = changes;
    }

    String resourceOf(TestOperator operator) {
      String launcher = operator.launcher().getName().replace('.', '/');
      return "META-INF/powerattention/" + launcher + name + ".sm_90a.cu";
    }

    /** The source, or null if the operator has none of its own for Hopper. */
    @Nullable String sourceOf(TestOperator operator) throws IOException {
      ClassLoader loader = operator.launcher().getClassLoader();
      try (InputStream resource = loader.getResourceAsStream(resourceOf(operator))) {
        return resource == null
            ? null
            : new String(resource.readAllBytes(), StandardCharsets.UTF_8);
      }
    }

    /**
     * Returns a source with all changes.
     *
     * @throws IllegalStateException if the kernels no longer have what is to be changed, once each
     */
    String followed(String source) {
      String changed = source;
      for (Change change : changes) {
        int place = changed.indexOf(change.what());
        if (place < 0 || changed.indexOf(change.what(), place + 1) >= 0) {
          throw new IllegalStateException("not there, or more than once: " + change.what());
        }
        changed = changed.replace(change.what(), change.by());
      }
      return changed;
    }
  }
}
