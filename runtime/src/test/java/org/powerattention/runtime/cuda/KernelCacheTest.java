package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    return new KernelCache(directory).get(KEY, this::compile);
  }

  private Path onlyFile() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      List<Path> all = files.toList();
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
    KernelCache cache = new KernelCache(directory);
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
  void processesThatCompileAtOnceLeaveOneWholeEntry() throws Exception {
    int processes = 8;
    CountDownLatch allCompile = new CountDownLatch(processes);
    ExecutorService executor = Executors.newFixedThreadPool(processes);
    try {
      List<Future<byte[]>> results = new ArrayList<>();
      for (int i = 0; i < processes; i++) {
        results.add(
            executor.submit(
                () ->
                    new KernelCache(directory)
                        .get(
                            KEY,
                            () -> {
                              allCompile.countDown();
                              try {
                                allCompile.await();
                              } catch (InterruptedException e) {
                                throw new IllegalStateException(e);
                              }
                              return compile();
                            })));
      }
      for (Future<byte[]> result : results) {
        assertThat(result.get()).isEqualTo(CODE);
      }
    } finally {
      executor.shutdownNow();
    }
    assertThat(onlyFile().getFileName().toString()).isEqualTo(KEY + ".bin");
    assertThat(getInNewProcess()).isEqualTo(CODE);
    assertThat(compilations.get()).isEqualTo(processes);
  }

  @Test
  void aDirectoryThatCannotBeWrittenLeavesTheMemory() throws IOException {
    // A file where the directory should be fails for every user, root too.
    Path blocked = Files.createFile(directory.resolve("file"));
    KernelCache cache = new KernelCache(blocked.resolve("kernels"));
    assertThat(cache.get(KEY, this::compile)).isEqualTo(CODE);
    assertThat(cache.get(KEY, this::compile)).isEqualTo(CODE);
    assertThat(compilations.get()).isEqualTo(1);
  }

  @Test
  void aFailedCompilationIsNotKept() {
    KernelCache cache = new KernelCache(directory);
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
    assertThat(keys).hasSize(8);
  }
}
