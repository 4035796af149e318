package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The cache among real processes, some of which are killed or have no room on the disk. */
final class KernelCacheProcessesTest {
  /** Processes to kill; more on a machine with time. */
  private static final int KILLS = Integer.getInteger("test.kills", 5);

  private static final int PROCESSES = Integer.getInteger("test.processes", 6);
  private static final long MIB = 1 << 20;

  @TempDir Path directory;

  /** The code of one of many kernels, between 100 and 400 KB. */
  static byte[] code(int kernel) {
    byte[] code = new byte[100_000 + kernel * 37_717 % 300_000];
    new Random(kernel).nextBytes(code);
    return code;
  }

  static String key(int kernel) {
    return KernelCache.key("kernel " + kernel, List.of("--gpu-architecture=sm_80"), "12.9");
  }

  /** Gets one kernel, and takes its time and a line of a protocol to compile it. */
  static final class GetOne {
    private GetOne() {}

    public static void main(String[] arguments) throws Exception {
      Path directory = Path.of(arguments[0]);
      long millis = Long.parseLong(arguments[1]);
      Duration patience = Duration.ofMillis(Long.parseLong(arguments[2]));
      KernelCache cache = new KernelCache(new KernelFiles(directory, 100 * MIB, patience));
      System.out.println("asking");
      byte[] got =
          cache.get(
              key(7),
              () -> {
                System.out.println("compiling");
                sleep(millis);
                note(directory.resolveSibling("compilations"));
                return code(7);
              });
      System.out.println(Arrays.equals(got, code(7)) ? "right" : "wrong");
    }

    private static void sleep(long millis) {
      try {
        Thread.sleep(millis);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    private static void note(Path protocol) {
      try {
        Files.writeString(
            protocol, "compiled\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** Gets kernels in turn from caches that it opens anew, within a bound that they exceed. */
  static final class GetMany {
    private GetMany() {}

    public static void main(String[] arguments) {
      Path directory = Path.of(arguments[0]);
      int rounds = Integer.parseInt(arguments[1]);
      Random random = new Random(Long.parseLong(arguments[2]));
      System.out.println("started");
      for (int n = 0; n < rounds; n++) {
        KernelCache cache = new KernelCache(new KernelFiles(directory, 2 * MIB));
        int kernel = random.nextInt(16);
        if (!Arrays.equals(cache.get(key(kernel), () -> code(kernel)), code(kernel))) {
          throw new AssertionError("a wrong kernel");
        }
      }
      System.out.println("done");
    }
  }

  private Path cache() {
    return directory.resolve("cache");
  }

  private long compilations() throws IOException {
    Path protocol = directory.resolve("compilations");
    return Files.exists(protocol) ? Files.readAllLines(protocol).size() : 0;
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(cache())) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void ofProcessesThatAskAtOnceOneCompilesAndTheOthersWaitAndRead() throws Exception {
    List<JavaProcess> processes = new ArrayList<>();
    for (int n = 0; n < PROCESSES; n++) {
      processes.add(JavaProcess.start(GetOne.class, cache(), 1_000, 60_000));
    }
    for (JavaProcess process : processes) {
      assertThat(process.finish()).contains("right");
    }
    assertThat(compilations()).isEqualTo(1);
    assertThat(names()).contains(key(7) + ".bin");
  }

  @Test
  void whoWaitsForAKilledProcessCompilesAtOnce() throws Exception {
    JavaProcess first = JavaProcess.start(GetOne.class, cache(), 600_000, 60_000);
    assertThat(first.line()).isEqualTo("asking");
    assertThat(first.line()).isEqualTo("compiling");
    JavaProcess second = JavaProcess.start(GetOne.class, cache(), 0, 60_000);
    assertThat(second.line()).isEqualTo("asking");
    Thread.sleep(100);
    first.kill();
    assertThat(second.finish()).isEqualTo("compiling\nright");
    assertThat(compilations()).isEqualTo(1);
  }

  @Test
  void whoWaitsForAStoppedProcessLosesPatience() throws Exception {
    JavaProcess first = JavaProcess.start(GetOne.class, cache(), 600_000, 60_000);
    assertThat(first.line()).isEqualTo("asking");
    assertThat(first.line()).isEqualTo("compiling");
    first.signal("STOP");
    assertThat(JavaProcess.start(GetOne.class, cache(), 0, 300).finish()).contains("right");
    assertThat(compilations()).isEqualTo(1);
    first.kill();
  }

  @Test
  void processesKilledAtAnyMomentLeaveNothingWrong() throws Exception {
    Random random = new Random(KILLS);
    for (int n = 0; n < KILLS; n++) {
      JavaProcess process =
          JavaProcess.start(GetMany.class, cache(), Integer.MAX_VALUE, random.nextInt());
      assertThat(process.line()).isEqualTo("started");
      Thread.sleep(20 + random.nextInt(150));
      assertThat(process.isAlive()).isTrue();
      process.kill();
      readAll();
    }
    assertThat(JavaProcess.start(GetMany.class, cache(), 100, 1).finish()).contains("done");
  }

  /** Each entry is right or not there: none is even found to be damaged. */
  private void readAll() throws IOException {
    KernelFiles files = new KernelFiles(cache(), 2 * MIB);
    for (int kernel = 0; kernel < 16; kernel++) {
      byte[] found = files.read(key(kernel));
      assertThat(Files.exists(cache().resolve(key(kernel) + ".bin"))).isEqualTo(found != null);
      if (found != null) {
        assertWithMessage("kernel %s", kernel).that(found).isEqualTo(code(kernel));
      }
    }
  }

  @Test
  void processesThatEvictEachOthersEntriesAllGetTheRightOnes() throws Exception {
    List<JavaProcess> processes = new ArrayList<>();
    for (int n = 0; n < 4; n++) {
      processes.add(JavaProcess.start(GetMany.class, cache(), 50, n));
    }
    for (JavaProcess process : processes) {
      assertThat(process.finish()).contains("done");
    }
    long bytes = 0;
    for (KernelFiles.Entry entry : new KernelFiles(cache(), 2 * MIB).entries()) {
      bytes += entry.bytes();
    }
    assertThat(bytes).isAtMost(2 * MIB + 4 * 400_000);
    assertThat(names().stream().filter(name -> name.endsWith(".part")).toList()).isEmpty();
  }

  @Test
  void aFullDiskCostsACompilationAndLeavesNoPart() throws Exception {
    // The limit of a file's size fails a write half-way, as a full disk does: 64 blocks of 512.
    JavaProcess process =
        JavaProcess.start("ulimit -f 64", List.of(), GetOne.class, cache(), 0, 1_000);
    assertThat(process.finish()).contains("right");
    assertThat(process.errors()).contains("Compiled kernels cannot be kept in " + cache());
    assertThat(names().stream().filter(name -> !name.endsWith(".lock")).toList()).isEmpty();
    assertThat(JavaProcess.start(GetOne.class, cache(), 0, 1_000).finish()).contains("right");
    assertThat(compilations()).isEqualTo(2);
  }
}
