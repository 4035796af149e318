package org.powerattention.examples.incontext;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Kills processes that train, at whatever they do then, and starts them again. */
final class KilledProcessTest {
  private static final int KILLS = 2;

  @Test
  @Timeout(300)
  void whatWasKilledEndsWithTheSameBytes(@TempDir Path directory)
      throws IOException, InterruptedException {
    Path whole = directory.resolve("whole");
    Path killed = directory.resolve("killed");
    finish(start(whole, directory));

    for (int i = 0; i < KILLS; i++) {
      TreeMap<Path, FileTime> before = checkpoints(killed);
      Process process = start(killed, directory);
      while (checkpoints(killed).equals(before)) {
        assertWithMessage("it runs until it is killed").that(process.isAlive()).isTrue();
        Thread.sleep(1);
      }
      process.destroyForcibly().waitFor();
      // It was killed in its work: results are written at the end.
      assertThat(process.exitValue()).isNotEqualTo(0);
      assertThat(Files.exists(killed.resolve("map-positions.csv"))).isFalse();
    }
    finish(start(killed, directory));

    for (String table : List.of("map-positions.csv", "map-arms.csv")) {
      assertThat(Files.readString(killed.resolve(table)))
          .isEqualTo(Files.readString(whole.resolve(table)));
    }
    assertThat(checkpoints(whole)).hasSize(Arm.values().length);
    for (Path checkpoint : checkpoints(whole).keySet()) {
      assertThat(arrays(killed.resolve(checkpoint.getFileName()))).isEqualTo(arrays(checkpoint));
    }
    assertThat(withoutTimes(killed)).isEqualTo(withoutTimes(whole));
  }

  private static Process start(Path results, Path directory) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            InContextLearning.class.getName(),
            "map",
            "smoke",
            results.toString())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(directory.resolve("log").toFile()))
        .start();
  }

  private static void finish(Process process) throws InterruptedException {
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).isEqualTo(0);
  }

  private static TreeMap<Path, FileTime> checkpoints(Path directory) throws IOException {
    TreeMap<Path, FileTime> times = new TreeMap<>();
    if (Files.isDirectory(directory)) {
      try (Stream<Path> files = Files.list(directory)) {
        for (Path file : files.filter(f -> f.toString().endsWith(".checkpoint")).toList()) {
          times.put(file, Files.getLastModifiedTime(file));
        }
      }
    }
    return times;
  }

  /** Returns parameters and moments: what follows the learning curve, which holds times. */
  private static ByteBuffer arrays(Path checkpoint) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(checkpoint));
    int points = bytes.getInt(2 * Integer.BYTES);
    return bytes.position(3 * Integer.BYTES + points * (Integer.BYTES + 3 * Double.BYTES)).slice();
  }

  /** Returns the learning curves with their losses, but without seconds. */
  private static List<String> withoutTimes(Path results) throws IOException {
    try (Stream<String> lines = Files.lines(results.resolve("map-training.csv"))) {
      return lines.map(line -> line.replaceAll("[^,]*,[^,]*,([^,]*)$", "$1")).toList();
    }
  }
}
