package org.powerattention.runtime.cuda;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.SequenceInputStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Compiled kernels, kept on disk between processes and in memory within one.
 *
 * <p>An entry is a file named for its {@linkplain #key key}; it holds the SHA-256 of the compiled
 * code and the code. One that is cut off or altered is compiled anew. Where the directory cannot be
 * written, that is said once and the memory alone serves.
 */
final class KernelCache {
  private static final Logger LOGGER = System.getLogger("org.powerattention");
  private static final int HASH_BYTES = 32;

  /** What an entry is; a change of the entries' form or of how sources are compiled changes it. */
  private static final String FORMAT = "power-attention kernel 1";

  private final Path directory;
  private final Map<String, CompletableFuture<byte[]>> loaded = new ConcurrentHashMap<>();
  private final AtomicBoolean unwritable = new AtomicBoolean();

  /** Uses a directory, which is made when the first entry is written. */
  KernelCache(Path directory) {
    this.directory = directory;
  }

  /** Returns the cache of this process, below {@link CacheDirectories#root}. */
  static KernelCache shared() {
    return Shared.INSTANCE;
  }

  private static final class Shared {
    static final KernelCache INSTANCE = new KernelCache(CacheDirectories.root().resolve("kernels"));
  }

  /**
   * Returns the key of everything that changes the compiled code. Each part goes in with its
   * length, so that no two lists of parts run together.
   *
   * @param source the text that is compiled
   * @param options the compiler's options, the architecture among them
   * @param compiler the compiler's version
   */
  static String key(String source, List<String> options, String compiler) {
    MessageDigest digest = sha256();
    update(digest, FORMAT);
    update(digest, compiler);
    update(digest, source);
    options.forEach(option -> update(digest, option));
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void update(MessageDigest digest, String part) {
    byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
    digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
    digest.update(bytes);
  }

  /**
   * Returns the code of a key, compiling it if it is not there. Threads that ask for one key at the
   * same time share one compilation; a failure is thrown to all of them and not kept.
   */
  byte[] get(String key, Supplier<byte[]> compile) {
    CompletableFuture<byte[]> mine = new CompletableFuture<>();
    CompletableFuture<byte[]> first = loaded.putIfAbsent(key, mine);
    if (first != null) {
      return await(first);
    }
    try {
      byte[] code = read(key);
      if (code == null) {
        code = compile.get();
        write(key, code);
      }
      mine.complete(code);
      return code;
    } catch (RuntimeException | Error e) {
      loaded.remove(key);
      mine.completeExceptionally(e);
      throw e;
    }
  }

  private static byte[] await(CompletableFuture<byte[]> other) {
    try {
      return other.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private byte @Nullable [] read(String key) {
    try {
      byte[] entry = Files.readAllBytes(file(key));
      if (entry.length > HASH_BYTES) {
        byte[] code = Arrays.copyOfRange(entry, HASH_BYTES, entry.length);
        if (MessageDigest.isEqual(Arrays.copyOf(entry, HASH_BYTES), sha256().digest(code))) {
          return code;
        }
      }
      LOGGER.log(Level.WARNING, "Compiling anew, since {0} is damaged", file(key));
    } catch (NoSuchFileException e) {
      // The usual case of a first run.
    } catch (IOException e) {
      LOGGER.log(Level.DEBUG, "The kernel cache entry cannot be read", e);
    }
    return null;
  }

  private void write(String key, byte[] code) {
    try {
      Files.createDirectories(directory);
      AtomicFile.write(
          file(key),
          new SequenceInputStream(
              new ByteArrayInputStream(sha256().digest(code)), new ByteArrayInputStream(code)));
    } catch (IOException e) {
      if (unwritable.compareAndSet(false, true)) {
        LOGGER.log(
            Level.WARNING,
            "Compiled kernels cannot be kept in {0} ({1}), so every process compiles them;"
                + " name a writable directory with -D{2} or {3}",
            directory,
            e,
            CacheDirectories.PROPERTY,
            CacheDirectories.VARIABLE);
      }
    }
  }

  private Path file(String key) {
    return directory.resolve(key + ".bin");
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
