package org.powerattention.runtime.cuda;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.SequenceInputStream;
import java.lang.System.Logger.Level;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.Log;

/**
 * The files of the kernel cache, shared by all processes of a user. An entry is a file named for
 * its key, which is published whole or not at all; it holds the SHA-256 of key and code, and the
 * code. Its time of modification is that of its latest use; the entries used longest ago go when
 * all together are too large. Whatever fails here is said once and costs a compilation.
 */
final class KernelFiles {
  /** System property that bounds the size of all entries together, in MiB. */
  static final String SIZE_PROPERTY = "powerattention.cache.mib";

  /** Default of that bound; an entry takes from 50 to 500 KiB. */
  static final long DEFAULT_MIB = 512;

  private static final int HASH_BYTES = 32;
  private static final String ENTRY = ".bin";

  /** How long a process that writes an entry may take before its temporary file is an orphan. */
  private static final Duration WRITING = Duration.ofHours(1);

  /** How long to wait for another process's compilation, which takes seconds. */
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private final Path directory;
  private final long mostBytes;
  private final Duration patience;
  private final AtomicBoolean reported = new AtomicBoolean();

  KernelFiles(Path directory, long mostBytes) {
    this(directory, mostBytes, PATIENCE);
  }

  KernelFiles(Path directory, long mostBytes, Duration patience) {
    this.directory = directory;
    this.mostBytes = mostBytes;
    this.patience = patience;
  }

  /** Returns the files below {@link CacheDirectories#root}. */
  static KernelFiles ofUser() {
    long mib = Math.max(0, Long.getLong(SIZE_PROPERTY, DEFAULT_MIB));
    return new KernelFiles(
        CacheDirectories.root().resolve("kernels"), Math.min(mib, Long.MAX_VALUE >> 20) << 20);
  }

  Path directory() {
    return directory;
  }

  /** Returns the bytes that all entries may take. */
  long mostBytes() {
    return mostBytes;
  }

  /**
   * Waits until no other process compiles the key, or returns null where that cannot be known.
   * Whoever waited should look for the entry again.
   */
  @Nullable FileMutex turn(String key) {
    if (mostBytes == 0) {
      return null;
    }
    try {
      CacheDirectories.makePrivate(directory);
    } catch (IOException | UnsupportedOperationException e) {
      report(e);
      return null;
    }
    // Keys that share a file only wait for each other needlessly.
    return FileMutex.take(directory.resolve(key.substring(0, 2) + ".lock"), patience);
  }

  /** Returns the code of a key, or null if it is not there, not intact or not to be trusted. */
  byte @Nullable [] read(String key) {
    Path file = file(key);
    try {
      byte[] entry = Files.readAllBytes(file);
      if (!CacheDirectories.isTrusted(directory)) {
        report(new IOException("others can write there"));
        return null;
      }
      if (entry.length > HASH_BYTES) {
        byte[] code = Arrays.copyOfRange(entry, HASH_BYTES, entry.length);
        if (MessageDigest.isEqual(Arrays.copyOf(entry, HASH_BYTES), hash(key, code))) {
          markUsed(file);
          return code;
        }
      }
      Log.get().log(Level.WARNING, "Compiling anew, since {0} is damaged", file);
    } catch (NoSuchFileException e) {
      // The usual case of a first run.
    } catch (IOException e) {
      Log.get().log(Level.DEBUG, "The kernel cache entry cannot be read", e);
    }
    return null;
  }

  /** Keeps the code of a key, if that is possible. */
  void write(String key, byte[] code) {
    if (HASH_BYTES + code.length > mostBytes) {
      return;
    }
    try {
      CacheDirectories.makePrivate(directory);
      AtomicFile.write(
          file(key),
          new SequenceInputStream(
              new ByteArrayInputStream(hash(key, code)), new ByteArrayInputStream(code)));
      evict(file(key));
    } catch (ClosedByInterruptException e) {
      Log.get().log(Level.DEBUG, "Interrupted before the kernel cache entry was written");
    } catch (IOException | UnsupportedOperationException e) {
      report(e);
    }
  }

  private void report(Exception e) {
    if (reported.compareAndSet(false, true)) {
      Log.get()
          .log(
              Level.WARNING,
              "Compiled kernels cannot be kept in {0} ({1}), so every process compiles them;"
                  + " name a writable directory with -D{2} or {3}",
              directory,
              e,
              CacheDirectories.PROPERTY,
              CacheDirectories.VARIABLE);
    }
  }

  /** An entry as the directory lists it. */
  record Entry(Path file, long bytes, FileTime used) {}

  /** Returns the entries, those used longest ago first. */
  List<Entry> entries() throws IOException {
    List<Entry> entries = new ArrayList<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Entry entry = file.toString().endsWith(ENTRY) ? entry(file) : null;
        if (entry != null) {
          entries.add(entry);
        }
      }
    } catch (NoSuchFileException e) {
      // Nothing has been written yet.
    }
    entries.sort(Comparator.comparing(Entry::used));
    return entries;
  }

  private static @Nullable Entry entry(Path file) throws IOException {
    try {
      return new Entry(file, Files.size(file), Files.getLastModifiedTime(file));
    } catch (NoSuchFileException e) {
      return null; // another process has just removed it
    }
  }

  /** Makes room; a process that is about to read a removed entry compiles it. */
  private void evict(Path justWritten) throws IOException {
    removeOrphans();
    List<Entry> entries = entries();
    long bytes = entries.stream().mapToLong(Entry::bytes).sum();
    for (Entry entry : entries) {
      if (bytes <= mostBytes) {
        break;
      }
      if (!entry.file.equals(justWritten)) {
        Files.deleteIfExists(entry.file);
        bytes -= entry.bytes;
      }
    }
  }

  /** Removes what processes left behind that were killed while they wrote. */
  private void removeOrphans() throws IOException {
    Instant limit = Instant.now().minus(WRITING);
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Entry part = file.toString().endsWith(AtomicFile.SUFFIX) ? entry(file) : null;
        if (part != null && part.used.toInstant().isBefore(limit)) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private static void markUsed(Path file) {
    try {
      Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
    } catch (IOException e) {
      // On a read-only file system nothing is evicted either.
    }
  }

  private Path file(String key) {
    return directory.resolve(key + ENTRY);
  }

  /** The key goes in too, so that an entry under another's name is not taken for that one. */
  static byte[] hash(String key, byte[] code) {
    MessageDigest digest = KernelCache.sha256();
    digest.update(key.getBytes(StandardCharsets.US_ASCII));
    return digest.digest(code);
  }
}
