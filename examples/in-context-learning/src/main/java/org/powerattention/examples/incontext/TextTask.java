package org.powerattention.examples.incontext;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * The next byte of a real text. Documents are stretches of it; the last tenth is kept for
 * evaluation.
 */
final class TextTask implements Task {
  private static final int BYTES = 256;
  private static final PathMatcher TEXT_FILE =
      FileSystems.getDefault().getPathMatcher("glob:*.{java,kt,md,txt}");

  private final Size size;
  private final byte[] text;
  private final int trained;

  TextTask(Size size, byte[] text) {
    int least = 20 * (size.textTokens() + 2);
    if (text.length < least) {
      throw new IllegalArgumentException(
          "a text of " + text.length + " bytes; needed: at least " + least);
    }
    this.size = size;
    this.text = text.clone();
    this.trained = text.length / 10 * 9;
  }

  /**
   * Reads a file, or all sources and prose below a directory, in an order that is always the same.
   */
  static TextTask read(Size size, Path path) throws IOException {
    if (Files.isRegularFile(path)) {
      return new TextTask(size, Files.readAllBytes(path));
    }
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    for (Path file : shuffled(path)) {
      text.writeBytes(Files.readAllBytes(file));
      text.write('\n');
    }
    return new TextTask(size, text.toByteArray());
  }

  /** Files by a hash of their paths, so that the last tenth is like the rest. */
  private static List<Path> shuffled(Path directory) throws IOException {
    try (Stream<Path> paths = Files.walk(directory)) {
      return paths
          .filter(file -> TEXT_FILE.matches(file.getFileName()))
          .filter(
              file -> !directory.relativize(file).toString().matches("(.*/)?(target|\\.git)/.*"))
          .filter(Files::isRegularFile)
          .sorted(
              Comparator.comparing((Path file) -> directory.relativize(file).toString().hashCode())
                  .thenComparing(file -> directory.relativize(file).toString()))
          .toList();
    }
  }

  @Override
  public String name() {
    return "text";
  }

  @Override
  public int vocabulary() {
    return BYTES;
  }

  @Override
  public int length() {
    return size.textTokens();
  }

  @Override
  public int stride() {
    return 1;
  }

  @Override
  public boolean rotary() {
    return true;
  }

  @Override
  public Documents training(int count, long seed) {
    return stretches(count, new Random(seed), 0, trained);
  }

  @Override
  public Documents evaluation(int count, long seed) {
    return stretches(count, new Random(seed), trained, text.length);
  }

  private Documents stretches(int count, Random random, int from, int to) {
    int[][] tokens = new int[count][length() + 2];
    for (int[] document : tokens) {
      int start = from + random.nextInt(to - from - document.length);
      Arrays.setAll(document, i -> text[start + i] & 0xff);
    }
    return new Documents(tokens);
  }

  @Override
  public double optimum(int position) {
    return Double.NaN;
  }

  @Override
  public int batch() {
    return size.textBatch();
  }

  @Override
  public int fingerprint() {
    return Arrays.hashCode(text);
  }

  @Override
  public double learningRate() {
    return size.textRate();
  }

  @Override
  public int steps() {
    return size.textSteps();
  }
}
