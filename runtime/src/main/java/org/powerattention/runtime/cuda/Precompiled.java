package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.events.Events;
import org.powerattention.runtime.events.KernelCacheEvent;
import org.powerattention.runtime.spi.Log;

/**
 * Machine code that was compiled when an application was built, as resources that are named for
 * their sources. Each ends in a seal: the key of what it was compiled from, and a hash of key and
 * code. What does not fit is not used, and that is said once.
 */
final class Precompiled {
  /** In place of a compiler in the key: whichever was used, its code is as good. */
  private static final String ANY_COMPILER = "at build time";

  private static final int KEY_BYTES = 32;
  private static final int SEAL_BYTES = 2 * KEY_BYTES;

  private static final Set<String> REPORTED = ConcurrentHashMap.newKeySet();

  private Precompiled() {}

  /** Returns the resource that holds a source's code. */
  static String name(String source, Target target) {
    return source.substring(0, source.lastIndexOf('.')) + "." + target.architecture() + ".cubin";
  }

  /** Returns the key of what a source is compiled to. */
  static String key(String source, Target target) {
    return KernelCache.key(source, target.options(), ANY_COMPILER);
  }

  /** Returns code with its seal. */
  static byte[] seal(String key, byte[] code) {
    return ByteBuffer.allocate(code.length + SEAL_BYTES)
        .put(code)
        .put(HexFormat.of().parseHex(key))
        .put(KernelFiles.hash(key, code))
        .array();
  }

  /** Returns why an entry is not the code of a key, in words, or null if it is. */
  static @Nullable String fault(byte[] entry, String key) {
    int length = entry.length - SEAL_BYTES;
    if (length < 0) {
      return "is damaged";
    }
    String sealed = HexFormat.of().formatHex(entry, length, length + KEY_BYTES);
    if (!Arrays.equals(entry, seal(sealed, Arrays.copyOf(entry, length)))) {
      return "is damaged";
    }
    return sealed.equals(key)
        ? null
        : "was compiled from another source, or with another version of this library";
  }

  /**
   * Returns the code of a source, or null if there is none that fits.
   *
   * @param anchor a class of the application, whose class loader knows the resource
   * @param resource absolute name of the source
   * @param source its text
   * @param target what it is to be compiled to
   */
  static byte @Nullable [] find(Class<?> anchor, String resource, String source, Target target) {
    KernelCacheEvent event = Events.startKernelCache();
    String name = name(resource, target);
    byte[] entry = read(anchor, name);
    if (entry == null) {
      return null;
    }
    String key = key(source, target);
    String fault = fault(entry, key);
    if (fault != null) {
      if (REPORTED.add(anchor.getName() + name)) {
        Log.get()
            .log(
                Level.WARNING,
                "{0} {1}, so it is not used; run the Precompiler again when the sources are built",
                name,
                fault);
      }
      return null;
    }
    byte[] code = Arrays.copyOf(entry, entry.length - SEAL_BYTES);
    if (event != null) {
      event.key = key;
      event.source = "precompiled";
      event.bytes = code.length;
      event.commit();
    }
    return code;
  }

  private static byte @Nullable [] read(Class<?> anchor, String name) {
    // Of the class loader, not of the class: it may lie in another module than the source.
    ClassLoader loader = anchor.getClassLoader();
    try (InputStream stream = loader.getResourceAsStream(name.substring(1))) {
      return stream == null ? null : stream.readAllBytes();
    } catch (IOException e) {
      Log.get().log(Level.DEBUG, "The compiled kernels cannot be read", e);
      return null;
    }
  }
}
