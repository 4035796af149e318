package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class KernelCacheTest {
  private static final byte[] CODE = {1, 2, 3, 4, 5, 6, 7, 8};
  private static final String KEY = KernelCache.key("source", List.of("-a"), "12.9");

  @TempDir Path directory;
  private final AtomicInteger compilations = new AtomicInteger();

  /** Logger of the cache; its warnings are expected here and would fill the test's output. */
  private final Logger logger = Logger.getLogger("org.powerattention");

  @BeforeEach
  void silence() {
    logger.setLevel(Level.OFF);
  }

  @AfterEach
  void restore() {
    logger.setLevel(null);
  }

  private byte[] compile() {
    compilations.incrementAndGet();
    return CODE.clone();
  }

  private byte[] getInNewProcess() {
    return cache(directory).get(KEY, this::compile);
  }

  private static KernelCache cache(Path directory) {
    return new KernelCache(new KernelFiles(directory, 1 << 20));
  }

  private Path onlyFile() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      List<Path> all = files.filter(file -> !file.toString().endsWith(".lock")).toList();
      assertThat(all).hasSize(1);
      return all.get(0);
    }
  }

  @Test
  void whatWasCompiledOnceIsReadByTheNextProcess() {
    assertThat(getInNewProcess()).isEqualTo(CODE);
    assertThat(getInNewProcess()).isEqualTo(CODE);
    assertThat(compilations.get()).isEqualTo(1);
  }

  @Test
  void anEntryDamagedAnywhereIsCompiledAnewAndMended() throws IOException {
    getInNewProcess();
    byte[] whole = Files.readAllBytes(onlyFile());
    List<byte[]> damaged = new ArrayList<>();
    for (int length : new int[] {0, 1, 31, 32, 33, whole.length - 1}) {
      damaged.add(Arrays.copyOf(whole, length));
    }
    damaged.add(Arrays.copyOf(whole, whole.length + 1));
    for (int i = 0; i < whole.length; i++) {
      byte[] flipped = whole.clone();
      flipped[i] ^= 0x10;
      damaged.add(flipped);
    }
    for (byte[] content : damaged) {
      Files.write(onlyFile(), content);
      int before = compilations.get();
      assertThat(getInNewProcess()).isEqualTo(CODE);
      assertThat(compilations.get()).isEqualTo(before + 1);
      assertThat(Files.readAllBytes(onlyFile())).isEqualTo(whole);
    }
  }

  @Test
  void threadsThatAskAtOnceShareOneCompilation() throws Exception {
    KernelCache cache = cache(directory);
    int threads = 8;
    CountDownLatch allAsk = new CountDownLatch(threads);
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    try {
      List<Future<byte[]>> results = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        results.add(
            executor.submit(
                () -> {
                  allAsk.countDown();
                  allAsk.await();
                  return cache.get(KEY, this::compile);
                }));
      }
      for (Future<byte[]> result : results) {
        assertThat(result.get()).isEqualTo(CODE);
      }
    } finally {
      executor.shutdownNow();
    }
    assertThat(compilations.get()).isEqualTo(1);
  }

  @Test
  void aDirectoryThatCannotBeWrittenLeavesTheMemory() throws IOException {
    // A file where the directory should be fails for every user, root too.
    Path blocked = Files.createFile(directory.resolve("file"));
    KernelCache cache = cache(blocked.resolve("kernels"));
    assertThat(cache.get(KEY, this::compile)).isEqualTo(CODE);
    assertThat(cache.get(KEY, this::compile)).isEqualTo(CODE);
    assertThat(compilations.get()).isEqualTo(1);
  }

  @Test
  void aFailedCompilationIsNotKept() {
    KernelCache cache = cache(directory);
    assertThrows(
        IllegalStateException.class,
        () ->
            cache.get(
                KEY,
                () -> {
                  throw new IllegalStateException("syntax");
                }));
    assertThat(cache.get(KEY, this::compile)).isEqualTo(CODE);
  }

  @Test
  void everythingThatChangesTheCodeChangesTheKey() {
    Set<String> keys = new HashSet<>();
    keys.add(KEY);
    keys.add(KernelCache.key("source2", List.of("-a"), "12.9"));
    keys.add(KernelCache.key("source", List.of("-b"), "12.9"));
    keys.add(KernelCache.key("source", List.of("-a"), "12.8"));
    keys.add(KernelCache.key("source", List.of(), "12.9"));
    keys.add(KernelCache.key("source-a", List.of(), "12.9"));
    keys.add(KernelCache.key("source", List.of("-a", "-b"), "12.9"));
    keys.add(KernelCache.key("source", List.of("-a-b"), "12.9"));
    keys.add(KernelCache.key("source", List.of("-a"), "12.9", "another version"));
    assertThat(keys).hasSize(9);
  }

  @Test
  void anEntryUnderAnothersNameIsNotTakenForIt() throws IOException {
    getInNewProcess();
    String other = KernelCache.key("other", List.of(), "12.9");
    Files.move(onlyFile(), directory.resolve(other + ".bin"));
    byte[] right = {9};
    assertThat(cache(directory).get(other, () -> right)).isEqualTo(right);
  }

  @Test
  void theEntriesUsedLongestAgoGoWhenAllAreTooLarge() throws IOException {
    int bytes = 300_000; // three fit into a MiB
    List<String> keys = new ArrayList<>();
    for (int n = 0; n < 3; n++) {
      keys.add(KernelCache.key("kernel " + n, List.of(), "12.9"));
      cache(directory).get(keys.get(n), () -> new byte[bytes]);
      age(keys.get(n), 10 - n);
    }
    // The oldest by its making is the one used latest.
    cache(directory).get(keys.get(0), () -> new byte[0]);
    keys.add(KernelCache.key("kernel 3", List.of(), "12.9"));
    cache(directory).get(keys.get(3), () -> new byte[bytes]);
    List<Boolean> kept = keys.stream().map(key -> Files.exists(file(key))).toList();
    assertThat(kept).containsExactly(true, false, true, true).inOrder();
    cache(directory).get(KEY, () -> new byte[2 << 20]);
    assertThat(Files.exists(file(KEY))).isFalse();
  }

  @Test
  void whatAKilledProcessLeftBehindGoesAnHourLater() throws IOException {
    Path old = Files.createFile(directory.resolve("x.bin.1.part"));
    Path fresh = Files.createFile(directory.resolve("x.bin.2.part"));
    Files.setLastModifiedTime(old, FileTime.from(Instant.now().minusSeconds(3_700)));
    getInNewProcess();
    assertThat(Files.exists(old)).isFalse();
    assertThat(Files.exists(fresh)).isTrue();
  }

  @Test
  void onlyTheUserMayReadOrWriteTheFiles() throws IOException {
    Path shared = Files.createDirectory(directory.resolve("shared"));
    Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxr-xr-x"));
    cache(shared).get(KEY, this::compile);
    assertThat(permissions(shared)).isEqualTo("rwx------");
    assertThat(permissions(shared.resolve(KEY + ".bin"))).isEqualTo("rw-------");
  }

  @Test
  void codeIsNotLoadedFromWhereOthersCouldPutIt() throws IOException {
    getInNewProcess();
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThat(new KernelFiles(directory, 1 << 20).read(KEY)).isNull();
  }

  @Test
  void aDirectoryRemovedMeanwhileIsMadeAgain() throws IOException {
    Path lost = directory.resolve("lost");
    KernelCache cache = cache(lost);
    cache.get(KEY, this::compile);
    Files.delete(lost.resolve(KEY + ".bin"));
    Files.delete(lost.resolve(KEY.substring(0, 2) + ".lock"));
    Files.delete(lost);
    String other = KernelCache.key("other", List.of(), "12.9");
    cache.get(other, this::compile);
    assertThat(Files.exists(lost.resolve(other + ".bin"))).isTrue();
  }

  @Test
  void anInterruptedThreadGetsItsCodeAndStaysInterrupted() {
    Thread.currentThread().interrupt();
    assertThat(getInNewProcess()).isEqualTo(CODE);
    assertThat(Thread.interrupted()).isTrue();
    assertThat(getInNewProcess()).isEqualTo(CODE);
  }

  private Path file(String key) {
    return directory.resolve(key + ".bin");
  }

  private void age(String key, int hours) throws IOException {
    Files.setLastModifiedTime(file(key), FileTime.from(Instant.now().minusSeconds(3_600L * hours)));
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
