package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Where files are kept between processes. */
final class CacheDirectories {
  /** System property that names the directory. */
  static final String PROPERTY = "powerattention.cache";

  /** Environment variable that names the directory; the property goes first. */
  static final String VARIABLE = "POWERATTENTION_CACHE";

  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rwx------");

  private CacheDirectories() {}

  /** Returns the directory of this user's cache, which may not exist yet. */
  static Path root() {
    return root(System.getProperty(PROPERTY), System::getenv, System.getProperty("user.home", ""));
  }

  static Path root(
      @Nullable String property, UnaryOperator<@Nullable String> environment, String home) {
    for (String named : new String[] {property, environment.apply(VARIABLE)}) {
      if (named != null && !named.isBlank()) {
        return Path.of(named).toAbsolutePath();
      }
    }
    String shared = environment.apply("XDG_CACHE_HOME");
    // The XDG specification has relative paths ignored.
    Path base =
        shared != null && shared.startsWith("/") ? Path.of(shared) : Path.of(home, ".cache");
    return base.resolve("powerattention").toAbsolutePath();
  }

  /**
   * Returns a directory that only this user can read or write, for code that will be loaded: below
   * the cache, or if that cannot be, a fresh temporary one that is removed when the JVM exits.
   *
   * @throws IOException if neither can be had
   */
  static Path privateDirectory(Path root) throws IOException {
    try {
      return makePrivate(root.resolve("natives"));
    } catch (IOException | UnsupportedOperationException e) {
      Path temporary = Files.createTempDirectory("powerattention-", ownerOnly());
      Runtime.getRuntime().addShutdownHook(new Thread(() -> deleteTree(temporary)));
      return temporary;
    }
  }

  private static Path makePrivate(Path directory) throws IOException {
    if (directory.getParent() != null) {
      Files.createDirectories(directory.getParent());
    }
    try {
      Files.createDirectory(directory, ownerOnly());
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
        throw e;
      }
    }
    // Whoever can create a file here is its owner: compare the directory's with that.
    Path probe = Files.createTempFile(directory, "owner", null);
    UserPrincipal self = Files.getOwner(probe);
    Files.delete(probe);
    if (!Files.getOwner(directory, LinkOption.NOFOLLOW_LINKS).equals(self)) {
      throw new IOException(directory + " belongs to another user");
    }
    Files.setPosixFilePermissions(directory, OWNER_ONLY);
    return directory;
  }

  private static FileAttribute<?> ownerOnly() {
    return PosixFilePermissions.asFileAttribute(OWNER_ONLY);
  }

  private static void deleteTree(Path directory) {
    try (Stream<Path> paths = Files.walk(directory)) {
      List<Path> deepestFirst = paths.sorted(Comparator.reverseOrder()).toList();
      for (Path path : deepestFirst) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      // The JVM is going down; what stays behind is a temporary file.
    }
  }
}
