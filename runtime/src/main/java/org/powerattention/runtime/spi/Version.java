package org.powerattention.runtime.spi;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** The version of this library. */
public final class Version {
  /** It, such as {@code 0.1.0}; the build writes it into a resource. */
  public static final String VERSION = read();

  private Version() {}

  private static String read() {
    try (InputStream resource = Version.class.getResourceAsStream("version.txt")) {
      if (resource == null) {
        throw new IllegalStateException("version.txt is missing; keep it when repacking jars");
      }
      return new String(resource.readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      throw new IllegalStateException("version.txt could not be read", e);
    }
  }
}
