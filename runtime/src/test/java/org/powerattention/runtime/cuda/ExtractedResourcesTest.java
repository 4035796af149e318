package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ExtractedResourcesTest {
  @TempDir Path directory;
  private final byte[] content = new byte[3_000_000];
  private URL inJar;

  @BeforeEach
  void writeJar() throws IOException {
    for (int i = 0; i < content.length; i++) {
      content[i] = (byte) (i * 31 >> 3);
    }
    inJar = jarWith("first.jar", content);
  }

  private URL jarWith(String name, byte[] library) throws IOException {
    Path jar = directory.resolve(name);
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file)) {
      out.putNextEntry(new JarEntry("lib/libx.so"));
      out.write(library);
      out.closeEntry();
    }
    return URI.create("jar:" + jar.toUri() + "!/lib/libx.so").toURL();
  }

  private Path extract(URL... resources) throws IOException {
    return ExtractedResources.extract(directory, List.of(resources)).resolve("libx.so");
  }

  @Test
  void aResourceBecomesAFileOfItsName() throws IOException {
    assertThat(Files.readAllBytes(extract(inJar))).isEqualTo(content);
  }

  @Test
  void anIntactFileStaysAsItIs() throws IOException {
    Path file = extract(inJar);
    Object before = Files.readAttributes(file, "unix:ino").get("ino");
    assertThat(extract(inJar)).isEqualTo(file);
    assertThat(Files.readAttributes(file, "unix:ino").get("ino")).isEqualTo(before);
  }

  @Test
  void aDamagedFileIsReplacedAndNotWrittenInto() throws IOException {
    Path file = extract(inJar);
    byte[] flipped = content.clone();
    flipped[1_234_567] ^= 1;
    for (byte[] damaged : List.of(new byte[0], Arrays.copyOf(content, 1_000), flipped)) {
      Files.write(file, damaged);
      Path second = directory.resolve("second");
      Files.deleteIfExists(second);
      Files.createLink(second, file);
      assertThat(extract(inJar)).isEqualTo(file);
      assertThat(Files.readAllBytes(file)).isEqualTo(content);
      // Whoever has mapped the old file keeps it: changing it in place would kill that process.
      assertThat(Files.readAllBytes(second)).isEqualTo(damaged);
    }
  }

  @Test
  void otherContentGoesToAnotherDirectory() throws IOException {
    byte[] other = content.clone();
    other[7] ^= 1;
    Path first = extract(inJar);
    Path second = extract(jarWith("other.jar", other));
    assertThat(second).isNotEqualTo(first);
    assertThat(Files.readAllBytes(second)).isEqualTo(other);
    assertThat(Files.readAllBytes(first)).isEqualTo(content);
  }

  @Test
  void aResourceOutsideOfAJarWorksTheSame() throws IOException {
    Path plain = Files.createDirectory(directory.resolve("plain")).resolve("libx.so");
    Files.write(plain, content);
    assertThat(extract(plain.toUri().toURL())).isEqualTo(extract(inJar));
  }
}
