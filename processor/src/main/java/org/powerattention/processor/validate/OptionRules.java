package org.powerattention.processor.validate;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.powerattention.processor.plan.Family;

/**
 * Reads the processor's options. What is wrong with one is reported, and the default takes its
 * place, so that one mistake is not followed by an error at every use of a launcher.
 */
public final class OptionRules {
  /** What the names of all options begin with. */
  public static final String NAMESPACE = "powerattention.";

  private static final String ARCHITECTURES = NAMESPACE + "architectures";
  private static final String CUDA_DIRECTORY = NAMESPACE + "cudaDirectory";
  private static final String LICENSE_HEADER = NAMESPACE + "licenseHeader";

  /** The names of all options. */
  public static final List<String> NAMES = List.of(ARCHITECTURES, CUDA_DIRECTORY, LICENSE_HEADER);

  private final Map<String, String> given;
  private final Reporter reporter;

  private OptionRules(Map<String, String> given, Reporter reporter) {
    this.given = given;
    this.reporter = reporter;
  }

  /**
   * Returns the options.
   *
   * @param given all options of the compilation, those of other processors included
   * @param reporter told what is wrong with ours
   */
  public static Options read(Map<String, @Nullable String> given, Reporter reporter) {
    // Of an option without a value, as in -Apowerattention.licenseHeader, the value is null.
    Map<String, String> ours =
        given.entrySet().stream()
            .filter(option -> option.getKey().startsWith(NAMESPACE))
            .collect(
                Collectors.toMap(
                    Map.Entry::getKey,
                    option -> option.getValue() == null ? "" : option.getValue().strip()));
    OptionRules rules = new OptionRules(ours, reporter);
    rules.warnOfUnknown();
    return new Options(rules.architectures(), rules.cudaDirectory(), rules.licenseHeader());
  }

  private void warnOfUnknown() {
    given.keySet().stream()
        .filter(name -> !NAMES.contains(name))
        .sorted()
        .forEach(
            name ->
                reporter.reportOption(
                    Problem.UNKNOWN_OPTION, name, String.join(", ", NAMES), nearest(name, NAMES)));
  }

  private Set<Family> architectures() {
    @Nullable String value = given.get(ARCHITECTURES);
    if (value == null) {
      return Options.DEFAULTS.architectures();
    }
    Map<String, Family> known =
        Arrays.stream(Family.values())
            .collect(
                Collectors.toMap(Family::architecture, f -> f, (a, b) -> a, LinkedHashMap::new));
    Set<Family> families = EnumSet.noneOf(Family.class);
    for (String entry : value.split(",", -1)) {
      String name = entry.strip();
      @Nullable Family family = known.get(name);
      if (family == null) {
        reporter.reportOption(
            Problem.OPTION_VALUE,
            ARCHITECTURES,
            value,
            "one or more of " + String.join(", ", known.keySet()) + ", separated by commas",
            "Use " + nearest(name, known.keySet()) + " in place of \"" + name + '"');
        return Options.DEFAULTS.architectures();
      }
      families.add(family);
    }
    return families;
  }

  private Optional<Path> cudaDirectory() {
    @Nullable String value = given.get(CUDA_DIRECTORY);
    if (value == null) {
      return Optional.empty();
    }
    @Nullable Path directory = path(value);
    if (directory == null || (Files.exists(directory) && !Files.isDirectory(directory))) {
      reporter.reportOption(
          Problem.OPTION_VALUE,
          CUDA_DIRECTORY,
          value,
          "a directory, which is made if it does not exist",
          "Use an absolute path, such as one below the build's output directory");
      return Optional.empty();
    }
    return Optional.of(directory);
  }

  private String licenseHeader() {
    @Nullable String value = given.get(LICENSE_HEADER);
    if (value == null) {
      return Options.DEFAULTS.licenseHeader();
    }
    @Nullable Path file = path(value);
    String text = "";
    String failure = "";
    try {
      // Lines, so that a checkout with other line ends gives the same bytes.
      text = file == null ? "" : String.join("\n", Files.readAllLines(file)).strip();
    } catch (IOException e) {
      failure = " (" + e + ")";
    }
    if (isComment(text)) {
      return text;
    }
    reporter.reportOption(
        Problem.OPTION_VALUE,
        LICENSE_HEADER,
        value,
        "a text file in UTF-8 that holds one comment" + failure,
        "Use an absolute path, and begin the file with /* and end it with */, or each line with"
            + " //");
    return Options.DEFAULTS.licenseHeader();
  }

  /** Whether a text is one comment in both Java and CUDA. */
  private static boolean isComment(String text) {
    return text.lines().count() > 0 && text.lines().allMatch(line -> line.startsWith("//"))
        || text.startsWith("/*") && text.indexOf("*/", 2) == text.length() - 2;
  }

  private static @Nullable Path path(String value) {
    try {
      return value.isEmpty() ? null : Path.of(value);
    } catch (InvalidPathException e) {
      return null;
    }
  }

  private static String nearest(String name, Collection<String> known) {
    return known.stream()
        .min(
            Comparator.<String>comparingInt(other -> distance(name, other))
                .thenComparing(other -> !other.startsWith(name)))
        .orElseThrow();
  }

  /** Insertions, deletions and replacements that make one name the other, whatever the case. */
  private static int distance(String from, String to) {
    int[] row = new int[to.length() + 1];
    Arrays.setAll(row, i -> i);
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        boolean same =
            Character.toLowerCase(from.charAt(i - 1)) == Character.toLowerCase(to.charAt(j - 1));
        int replaced = diagonal + (same ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[to.length()];
  }
}
