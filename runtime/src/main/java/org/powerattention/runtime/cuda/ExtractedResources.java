package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/**
 * Resources as files, so that native libraries can be loaded from them.
 *
 * <p>Files go side by side into a directory named for their sizes and checksums, each written under
 * another name and moved into place; one that is there already is read and compared before it is
 * used. The checksum is the CRC-32 that a jar's directory holds anyway: the enemy is the truncated
 * or damaged file, since nobody else can write to the directory, and hundreds of megabytes need not
 * be decompressed to check it.
 */
final class ExtractedResources {
  /** Size and checksum of a resource or file. */
  private record Fingerprint(long size, long crc) {}

  private ExtractedResources() {}

  /**
   * Makes sure that resources lie as intact files in one directory.
   *
   * @param parent where to make the directory; nobody else must be able to write there
   * @param resources the resources; their last path components become file names
   * @return the directory
   * @throws IOException if a file cannot be written
   */
  static Path extract(Path parent, List<URL> resources) throws IOException {
    List<Fingerprint> fingerprints = new ArrayList<>();
    CRC32 all = new CRC32();
    for (URL resource : resources) {
      Fingerprint fingerprint = fingerprint(resource);
      fingerprints.add(fingerprint);
      all.update(ByteBuffer.allocate(16).putLong(fingerprint.size).putLong(fingerprint.crc).flip());
    }
    String first = fileName(resources.get(0));
    Path directory = parent.resolve(first + "-" + HexFormat.of().toHexDigits(all.getValue(), 8));
    Files.createDirectories(directory);
    for (int i = 0; i < resources.size(); i++) {
      Path file = directory.resolve(fileName(resources.get(i)));
      if (!isIntact(file, fingerprints.get(i))) {
        write(file, resources.get(i), fingerprints.get(i));
      }
    }
    return directory;
  }

  private static void write(Path file, URL resource, Fingerprint expected) throws IOException {
    try (InputStream content = open(resource).getInputStream()) {
      AtomicFile.write(file, content);
    }
    if (!isIntact(file, expected)) {
      throw new IOException(
          file + " does not read back as it was written; is the disk full or failing?");
    }
  }

  private static boolean isIntact(Path file, Fingerprint expected) throws IOException {
    if (!Files.isRegularFile(file) || Files.size(file) != expected.size) {
      return false;
    }
    CRC32 crc = new CRC32();
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
      while (channel.read(buffer) >= 0) {
        crc.update(buffer.flip());
        buffer.clear();
      }
    }
    return crc.getValue() == expected.crc;
  }

  private static Fingerprint fingerprint(URL resource) throws IOException {
    URLConnection connection = open(resource);
    try (InputStream content = connection.getInputStream()) {
      if (connection instanceof JarURLConnection jar) {
        JarEntry entry = jar.getJarEntry();
        if (entry.getCrc() >= 0 && entry.getSize() >= 0) {
          return new Fingerprint(entry.getSize(), entry.getCrc());
        }
      }
      CRC32 crc = new CRC32();
      long size = new CheckedInputStream(content, crc).transferTo(OutputStream.nullOutputStream());
      return new Fingerprint(size, crc.getValue());
    }
  }

  /** Opens a connection that keeps no jar open once its stream is closed. */
  private static URLConnection open(URL resource) throws IOException {
    URLConnection connection = resource.openConnection();
    connection.setUseCaches(false);
    return connection;
  }

  private static String fileName(URL resource) {
    String path = resource.getPath();
    return path.substring(path.lastIndexOf('/') + 1);
  }
}
