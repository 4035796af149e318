package org.powerattention.processor;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** Builds a project with Maven, changes it and builds again, each time in a process. */
@EnabledIfSystemProperty(named = "maven.home", matches = ".+", disabledReason = "not run by Maven")
final class MavenBuildTest {
  private static final String POM =
"""
      <project xmlns="http://maven.apache.org/POM/4.0.0">
        <modelVersion>4.0.0</modelVersion>
        <groupId>test</groupId>
        <artifactId>application</artifactId>
        <version>1</version>
        <properties>
          <maven.compiler.release>17</maven.compiler.release>
          <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
        </properties>
        <dependencies>
%s        </dependencies>
        <build>
          <plugins>
            <plugin>
              <groupId>org.apache.maven.plugins</groupId>
              <artifactId>maven-compiler-plugin</artifactId>
              <configuration>
                <compilerArgs>
                  <arg>-processorpath</arg>
                  <arg>%s</arg>
                </compilerArgs>
              </configuration>
            </plugin>
          </plugins>
        </build>
      </project>
""";

  private static final String DEPENDENCY =
      """
          <dependency>
            <groupId>test</groupId>
            <artifactId>%s</artifactId>
            <version>1</version>
            <scope>system</scope>
            <systemPath>%s</systemPath>
          </dependency>
      """;

  private static final String PLAIN = "package p; class Plain {}";
  private static final String USER = "package p; class User { FirstLauncher launcher; }";

  @TempDir private Path folder;

  private static String declaring(String name, int headDim) {
    return """
    package p;
    @org.powerattention.annotations.PowerAttention(degree = 2, headDim = %d)
    class %s {}
    """
        .formatted(headDim, name);
  }

  /** Returns the annotations and the runtime as dependencies, which Maven wants to be files. */
  private String dependencies() throws IOException {
    StringBuilder dependencies = new StringBuilder();
    for (String element : Compilations.modulePath().split(File.pathSeparator)) {
      Path path = Path.of(element).toAbsolutePath();
      String name = "d" + dependencies.length();
      if (Files.isDirectory(path)) {
        Path jar = folder.resolve(name + ".jar");
        pack(path, jar);
        path = jar;
      }
      dependencies.append(DEPENDENCY.formatted(name, path));
    }
    return dependencies.toString();
  }

  private static void pack(Path classes, Path jar) throws IOException {
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      for (Map.Entry<String, Path> file : files(classes).entrySet()) {
        out.putNextEntry(new ZipEntry(file.getKey()));
        Files.copy(file.getValue(), out);
      }
    }
  }

  private static Map<String, Path> files(Path root) throws IOException {
    Map<String, Path> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(root)) {
      all.filter(Files::isRegularFile)
          .forEach(file -> files.put(root.relativize(file).toString().replace('\\', '/'), file));
    }
    return files;
  }

  private Path project(String name, Map<String, String> sources) throws IOException {
    Path project = Files.createDirectories(folder.resolve(name));
    Files.writeString(
        project.resolve("pom.xml"),
        POM.formatted(dependencies(), System.getProperty("java.class.path")));
    Path root = Files.createDirectories(project.resolve("src/main/java/p"));
    for (Map.Entry<String, String> source : sources.entrySet()) {
      Files.writeString(root.resolve(source.getKey() + ".java"), source.getValue());
    }
    return project;
  }

  /** Compiles a project; returns what Maven said. */
  private static String build(Path project) throws IOException, InterruptedException {
    boolean windows = System.getProperty("os.name").startsWith("Windows");
    List<String> command = new ArrayList<>();
    command.add(
        Path.of(System.getProperty("maven.home"), "bin", windows ? "mvn.cmd" : "mvn").toString());
    command.add("-B");
    command.add("-Dstyle.color=never");
    command.add("-Dmaven.repo.local=" + System.getProperty("maven.repository"));
    command.add(
        "org.apache.maven.plugins:maven-compiler-plugin:"
            + System.getProperty("maven-compiler-plugin.version")
            + ":compile");
    Path log = project.resolve("log.txt");
    ProcessBuilder maven = new ProcessBuilder(command);
    maven.environment().put("JAVA_HOME", System.getProperty("java.home"));
    int status =
        maven
            .directory(project.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start()
            .waitFor();
    String said = Files.readString(log);
    assertWithMessage(said).that(status).isEqualTo(0);
    return said;
  }

  /** Returns what was compiled and generated, as text of one byte a character. */
  private static Map<String, String> built(Path project) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    for (String output : List.of("classes", "generated-sources")) {
      for (Map.Entry<String, Path> file : files(project.resolve("target/" + output)).entrySet()) {
        byte[] bytes = Files.readAllBytes(file.getValue());
        contents.put(output + "/" + file.getKey(), new String(bytes, ISO_8859_1));
      }
    }
    return contents;
  }

  @Test
  void whatIsThereAfterAChangeIsThatOfAFullBuild() throws Exception {
    Path project =
        project(
            "incremental",
            Map.of(
                "First", declaring("First", 32),
                "Second", declaring("Second", 32),
                "Third", declaring("Third", 32),
                "Plain", PLAIN,
                "User", USER));
    build(project);
    Map<String, String> before = built(project);
    assertThat(before.keySet()).contains("classes/p/ThirdLauncher.class");

    Path launcher = project.resolve("target/classes/p/FirstLauncher.class");
    FileTime time = Files.getLastModifiedTime(launcher);
    assertThat(build(project)).contains("Nothing to compile");
    assertThat(Files.getLastModifiedTime(launcher)).isEqualTo(time);

    // One changed, one no longer declared, one deleted; what uses a launcher stays as it is.
    Map<String, String> changed =
        Map.of(
            "First",
            declaring("First", 48),
            "Second",
            "package p; class Second {}",
            "Plain",
            PLAIN,
            "User",
            USER);
    Files.delete(project("incremental", changed).resolve("src/main/java/p/Third.java"));
    build(project);
    Path full = project("full", changed);
    build(full);
    Map<String, String> after = built(project);
    assertThat(after.keySet()).containsExactlyElementsIn(built(full).keySet());
    assertThat(after).isEqualTo(built(full));
    assertThat(after.get("classes/p/FirstLauncher.class"))
        .isNotEqualTo(before.get("classes/p/FirstLauncher.class"));
  }
}
