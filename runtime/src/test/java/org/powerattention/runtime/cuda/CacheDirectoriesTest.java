package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CacheDirectoriesTest {
  @TempDir Path directory;

  @Test
  void thePropertyGoesBeforeTheVariableBeforeTheUsersCache() {
    Map<String, String> both = Map.of("POWERATTENTION_CACHE", "/b", "XDG_CACHE_HOME", "/c");
    assertThat(CacheDirectories.root("/a", both::get, "/home/u")).isEqualTo(Path.of("/a"));
    assertThat(CacheDirectories.root(null, both::get, "/home/u")).isEqualTo(Path.of("/b"));
    assertThat(CacheDirectories.root(null, Map.of("XDG_CACHE_HOME", "/c")::get, "/home/u"))
        .isEqualTo(Path.of("/c/powerattention"));
    assertThat(CacheDirectories.root(null, Map.of("XDG_CACHE_HOME", "c")::get, "/home/u"))
        .isEqualTo(Path.of("/home/u/.cache/powerattention"));
    assertThat(CacheDirectories.root(" ", Map.<String, String>of()::get, "/home/u"))
        .isEqualTo(Path.of("/home/u/.cache/powerattention"));
  }

  @Test
  void thePrivateDirectoryIsForItsOwnerAloneAlsoIfItWasNot() throws IOException {
    Path made = CacheDirectories.privateDirectory(directory.resolve("root"));
    assertThat(made).isEqualTo(directory.resolve("root/natives"));
    assertThat(permissions(made)).isEqualTo("rwx------");
    Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThat(CacheDirectories.privateDirectory(directory.resolve("root"))).isEqualTo(made);
    assertThat(permissions(made)).isEqualTo("rwx------");
  }

  @Test
  void aLinkOrAFileInItsPlaceIsNotFollowed() throws IOException {
    Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
    Files.createSymbolicLink(directory.resolve("natives"), elsewhere);
    Path made = CacheDirectories.privateDirectory(directory);
    assertThat(made.startsWith(directory)).isFalse();
    assertThat(permissions(made)).isEqualTo("rwx------");
    Path file = Files.createFile(directory.resolve("file"));
    assertThat(CacheDirectories.privateDirectory(file).startsWith(file)).isFalse();
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
