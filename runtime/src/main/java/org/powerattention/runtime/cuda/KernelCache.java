package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.events.Events;
import org.powerattention.runtime.events.KernelCacheEvent;
import org.powerattention.runtime.spi.Version;

/**
 * Compiled kernels, kept in memory within a process and in {@link KernelFiles} between processes.
 * Of all the threads and processes that ask for one key at the same time, one compiles it and the
 * others wait for the result.
 */
final class KernelCache {
  /** What an entry is; a change of the entries' form or of how sources are compiled changes it. */
  private static final String FORMAT = "power-attention kernel 2";

  private final KernelFiles files;
  private final Map<String, CompletableFuture<byte[]>> loaded = new ConcurrentHashMap<>();

  KernelCache(KernelFiles files) {
    this.files = files;
  }

  /** Returns the cache of this process. */
  static KernelCache shared() {
    return Shared.INSTANCE;
  }

  private static final class Shared {
    static final KernelCache INSTANCE = new KernelCache(KernelFiles.ofUser());
  }

  /** Code, and where it came from. */
  private record Found(byte[] code, String source) {}

  KernelFiles files() {
    return files;
  }

  /**
   * Returns the key of everything that changes the compiled code, our own version included. Each
   * part goes in with its length, so that no two lists of parts run together.
   *
   * @param source the text that is compiled
   * @param options the compiler's options, the architecture among them
   * @param compiler the compiler's version and build
   */
  static String key(String source, List<String> options, String compiler) {
    return key(source, options, compiler, Version.VERSION);
  }

  static String key(String source, List<String> options, String compiler, String version) {
    MessageDigest digest = sha256();
    update(digest, FORMAT);
    update(digest, version);
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
   * Returns the code of a key, compiling it if it is not there. A failure is thrown to all threads
   * that wait for it, and not kept.
   */
  byte[] get(String key, Supplier<byte[]> compile) {
    KernelCacheEvent event = Events.startKernelCache();
    Found found = find(key, compile);
    if (event != null) {
      event.key = key;
      event.source = found.source;
      event.bytes = found.code.length;
      event.commit();
    }
    return found.code;
  }

  private Found find(String key, Supplier<byte[]> compile) {
    CompletableFuture<byte[]> mine = new CompletableFuture<>();
    CompletableFuture<byte[]> first = loaded.putIfAbsent(key, mine);
    if (first != null) {
      return new Found(await(first), "memory");
    }
    try {
      byte[] code = files.read(key);
      Found found = code == null ? compileInTurn(key, compile) : new Found(code, "disk");
      mine.complete(found.code);
      return found;
    } catch (RuntimeException | Error e) {
      loaded.remove(key);
      mine.completeExceptionally(e);
      throw e;
    }
  }

  private Found compileInTurn(String key, Supplier<byte[]> compile) {
    try (FileMutex turn = files.turn(key)) {
      byte @Nullable [] waitedFor = turn == null ? null : files.read(key);
      if (waitedFor != null) {
        return new Found(waitedFor, "another process");
      }
      byte[] code = compile.get();
      files.write(key, code);
      return new Found(code, "compiled");
    }
  }

  private static byte[] await(CompletableFuture<byte[]> other) {
    try {
      return other.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw e;
    }
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
