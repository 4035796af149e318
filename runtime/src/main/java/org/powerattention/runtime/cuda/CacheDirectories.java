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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
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

  /**
   * Makes a directory, if there is none, that only this user can read or write; takes others'
   * rights to one that is there.
   *
   * @throws IOException if it is another user's, not a directory, or cannot be written
   */
  static Path makePrivate(Path directory) throws IOException {
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
    Path probe = Files.createTempFile(directory, "owner", AtomicFile.SUFFIX);
    UserPrincipal self = Files.getOwner(probe);
    Files.delete(probe);
    if (!Files.getOwner(directory, LinkOption.NOFOLLOW_LINKS).equals(self)) {
      throw new IOException(directory + " belongs to another user");
    }
    Set<PosixFilePermission> permissions =
        new HashSet<>(Files.getPosixFilePermissions(directory, LinkOption.NOFOLLOW_LINKS));
    // One that its owner has made read-only stays so.
    if (permissions.retainAll(OWNER_ONLY)) {
      Files.setPosixFilePermissions(directory, permissions);
    }
    return directory;
  }

  /**
   * Returns whether only this user and root can write to a directory that exists: others could
   * leave code there that we would load. One that root has filled and this user only reads, as in a
   * container's image, is trusted.
   */
  static boolean isTrusted(Path directory) throws IOException {
    Map<String, Object> attributes;
    try {
      attributes =
          Files.readAttributes(directory, "unix:uid,permissions", LinkOption.NOFOLLOW_LINKS);
    } catch (UnsupportedOperationException e) {
      return true; // not Linux, where CUDA is not supported
    }
    int owner = (Integer) attributes.get("uid");
    if (owner != 0 && owner != ownUser()) {
      return false;
    }
    Set<?> permissions = (Set<?>) attributes.get("permissions");
    return !permissions.contains(PosixFilePermission.GROUP_WRITE)
        && !permissions.contains(PosixFilePermission.OTHERS_WRITE);
  }

  private static int ownUser() throws IOException {
    return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
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
