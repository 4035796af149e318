package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** A JVM that runs a main class of the tests, to be waited for or killed. */
final class JavaProcess {
  private final Process process;
  private final BufferedReader output;
  private final Path errors;

  private JavaProcess(Process process, Path errors) {
    this.process = process;
    this.output = process.inputReader(StandardCharsets.UTF_8);
    this.errors = errors;
  }

  /** Starts one. Its options come before the class, what a shell is to do before it, too. */
  static JavaProcess start(String shell, List<String> options, Class<?> main, Object... arguments)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Small and quick to start: the tests start many.
    command.addAll(List.of("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    command.addAll(List.of("-XX:-UsePerfData", "-Xmx64m"));
    command.addAll(options);
    command.addAll(List.of("-cp", classPath(), main.getName()));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    List<String> all = new ArrayList<>();
    if (!shell.isEmpty()) {
      all.addAll(List.of("/bin/sh", "-c", shell + "; exec \"$@\"", "sh"));
    }
    all.addAll(command);
    Path errors = Files.createTempFile("errors", ".txt");
    errors.toFile().deleteOnExit();
    return new JavaProcess(new ProcessBuilder(all).redirectError(errors.toFile()).start(), errors);
  }

  static JavaProcess start(Class<?> main, Object... arguments) throws Exception {
    return start("", List.of(), main, arguments);
  }

  /** Returns its next line, or fails if it ends before. */
  String line() throws IOException {
    String line = output.readLine();
    assertWithMessage(errors()).that(line).isNotNull();
    return line;
  }

  /** Kills it as the system does when memory is short: no handler of its own runs. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
  }

  void signal(String name) throws Exception {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Waits until it ends well and returns the rest of its output. */
  String finish() throws Exception {
    String rest = String.join("\n", output.lines().toList());
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertWithMessage(rest + errors()).that(process.exitValue()).isEqualTo(0);
    return rest;
  }

  /** Returns what it has written to its error stream so far. */
  String errors() throws IOException {
    return Files.readString(errors);
  }

  /** Everything on this JVM's module path and class path, as one class path. */
  private static String classPath() throws Exception {
    Set<String> elements = new LinkedHashSet<>();
    elements.add(
        Path.of(KernelCache.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .toString());
    elements.add(testClasses());
    for (String property : List.of("jdk.module.path", "java.class.path")) {
      elements.addAll(List.of(System.getProperty(property, "").split(File.pathSeparator)));
    }
    elements.removeIf(element -> element.isEmpty() || element.contains("cuda-redist"));
    return String.join(File.pathSeparator, elements);
  }

  /** Where the tests lie, which in a module is not where their code source says. */
  private static String testClasses() throws Exception {
    Class<?> own = JavaProcess.class;
    Path file = Path.of(own.getResource(own.getSimpleName() + ".class").toURI());
    for (int i = own.getPackageName().split("\\.").length; i >= 0; i--) {
      file = file.getParent();
    }
    return file.toString();
  }
}
