package org.powerattention.examples.quickstart;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A text, as the things to memorise: its pairs of words in the order in which they first appear,
 * each of them once. Each pair is bound to the one after it, so that every key and every value
 * occurs once, and asking for one is asking how the text goes on.
 *
 * @param name what to call it
 * @param pairs its distinct pairs of words
 */
record Document(String name, List<String> pairs) {
  private static final Pattern WORD = Pattern.compile("[\\p{L}\\p{M}\\p{N}]+");

  /** What counts as text where a directory is given: sources and prose. */
  private static final Pattern TEXT_FILE = Pattern.compile(".*\\.(java|kt|cu|cuh|md|txt)");

  private static final Set<String> SKIPPED_DIRECTORIES = Set.of("target", "build", ".git");

  Document {
    pairs = List.copyOf(pairs);
  }

  /**
   * Reads a text file, or all sources and prose below a directory, in the order of their paths.
   *
   * @throws IOException if it cannot be read
   */
  static Document read(Path path) throws IOException {
    Path real = path.toRealPath();
    if (!Files.isDirectory(real)) {
      return of(real.getFileName().toString(), text(real));
    }
    StringBuilder text = new StringBuilder();
    List<Path> files = textFiles(real);
    for (Path file : files) {
      text.append(text(file)).append('\n');
    }
    if (files.isEmpty()) {
      throw new NoSuchFileException(real.toString(), null, "no text file below this directory");
    }
    return of(files.size() + " files below " + real, text.toString());
  }

  /** Returns the document of a text. */
  static Document of(String name, String text) {
    List<String> words = words(text);
    Set<String> pairs = new LinkedHashSet<>();
    for (int i = 0; i + 1 < words.size(); i += 2) {
      pairs.add(words.get(i) + " " + words.get(i + 1));
    }
    return new Document(name, new ArrayList<>(pairs));
  }

  /** Returns the words of a text in lower case: runs of letters and digits. */
  static List<String> words(String text) {
    return WORD.matcher(text)
        .results()
        .map(MatchResult::group)
        .map(word -> word.toLowerCase(Locale.ROOT))
        .toList();
  }

  /** Returns how many pairs have a successor, and so can be stored as key and value. */
  int associations() {
    return Math.max(0, pairs.size() - 1);
  }

  /** Takes what is not UTF-8 for separators: any text will do. */
  private static String text(Path file) throws IOException {
    return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
  }

  private static List<Path> textFiles(Path directory) throws IOException {
    try (Stream<Path> paths = Files.walk(directory)) {
      return paths
          .filter(path -> TEXT_FILE.matcher(path.getFileName().toString()).matches())
          .filter(path -> !isSkipped(directory.relativize(path)))
          .filter(Files::isRegularFile)
          .sorted()
          .toList();
    }
  }

  private static boolean isSkipped(Path relative) {
    for (Path part : relative) {
      if (SKIPPED_DIRECTORIES.contains(part.toString())) {
        return true;
      }
    }
    return false;
  }
}
