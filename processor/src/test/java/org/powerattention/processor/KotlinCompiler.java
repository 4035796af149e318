package org.powerattention.processor;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.jetbrains.kotlin.cli.jvm.K2JVMCompiler;
import org.powerattention.annotations.PowerAttention;

/**
 * Kotlin's compiler, as build tools call it. In a process of its own, since kapt needs the insides
 * of javac opened to it; in the same for several compilations, since starting takes the most time.
 */
final class KotlinCompiler {
  private static final List<String> CLASS_PATH =
      List.of(System.getProperty("java.class.path").split(File.pathSeparator));

  /** What kapt reaches into; Gradle and Maven open the same. */
  private static final List<String> OPENED =
      List.of(
          "api",
          "code",
          "comp",
          "file",
          "jvm",
          "main",
          "model",
          "parser",
          "processing",
          "tree",
          "util");

  private KotlinCompiler() {}

  /** Returns the arguments of kapt; positions will be those of the Kotlin sources. */
  static List<String> kapt(
      Path folder,
      List<Path> sources,
      Class<?> processor,
      Map<String, String> options,
      Path... classPath)
      throws IOException {
    return kapt("stubsAndApt", folder, sources, processor, options, classPath);
  }

  /** Returns the arguments of one step of kapt: of {@code stubs}, of {@code apt}, or both. */
  private static List<String> kapt(
      String mode,
      Path folder,
      List<Path> sources,
      Class<?> processor,
      Map<String, String> options,
      Path... classPath)
      throws IOException {
    List<String> arguments = new ArrayList<>();
    arguments.add("-Xplugin=" + jar("kotlin-annotation-processing-embeddable"));
    plugin(arguments, "aptMode", mode);
    plugin(arguments, "sources", folder.resolve("java").toString());
    plugin(arguments, "classes", folder.resolve("classes").toString());
    plugin(arguments, "stubs", folder.resolve("stubs").toString());
    plugin(arguments, "incrementalData", folder.resolve("data").toString());
    plugin(arguments, "mapDiagnosticLocations", "true");
    plugin(arguments, "correctErrorTypes", "true");
    plugin(arguments, "processors", processor.getName());
    plugin(arguments, "apoptions", encoded(options));
    CLASS_PATH.forEach(entry -> plugin(arguments, "apclasspath", entry));
    arguments.addAll(compile(folder, sources, classPath));
    return arguments;
  }

  /** Returns the arguments of the step that writes stubs. */
  static List<String> stubs(Path folder, List<Path> sources, Class<?> processor)
      throws IOException {
    return kapt("stubs", folder, sources, processor, Map.of());
  }

  /**
   * Returns the arguments of the step that processes stubs, as an incremental build has it done.
   *
   * @param changed the stubs that have changed since the last time; none the first time
   */
  static List<String> processing(Path folder, Class<?> processor, List<Path> changed)
      throws IOException {
    List<Path> stubs = List.of(folder.resolve("stubs"));
    List<String> arguments = kapt("apt", folder, stubs, processor, Map.of(), Compilations.stubs());
    arguments.add("-Xallow-no-source-files");
    plugin(arguments, "processIncrementally", Boolean.toString(!changed.isEmpty()));
    plugin(arguments, "incrementalCache", folder.resolve("cache").toString());
    plugin(arguments, "compiledSourcesDir", folder.resolve("compiled").toString());
    changed.forEach(file -> plugin(arguments, "changedFile", file.toString()));
    return arguments;
  }

  /** Compiles the stubs and what was generated from them, as a build does after kapt. */
  static void compileGenerated(Path folder) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("-proc:none", "-nowarn", "-d"));
    arguments.add(folder.resolve("compiled").toString());
    arguments.add("-cp");
    arguments.add(
        String.join(
            File.pathSeparator,
            Compilations.stubs().toString(),
            jar("kotlin-stdlib"),
            jar("jspecify"),
            Compilations.location(PowerAttention.class)));
    for (String root : List.of("stubs", "java")) {
      try (Stream<Path> files = Files.walk(folder.resolve(root))) {
        files
            .filter(file -> file.toString().endsWith(".java"))
            .forEach(file -> arguments.add(file.toString()));
      }
    }
    int status =
        ToolProvider.getSystemJavaCompiler()
            .run(null, null, null, arguments.toArray(new String[0]));
    if (status != 0) {
      throw new IllegalStateException("what kapt generated does not compile");
    }
  }

  /** Returns the arguments of a compilation without processors. */
  static List<String> compile(Path folder, List<Path> sources, Path... classPath) {
    List<String> arguments = new ArrayList<>(List.of("-no-stdlib", "-no-reflect"));
    arguments.addAll(List.of("-d", folder.resolve("classes").toString()));
    Stream<String> libraries =
        Stream.concat(
            Stream.of(classPath).map(Path::toString),
            Stream.of(
                jar("kotlin-stdlib"),
                jar("jspecify"),
                Compilations.location(PowerAttention.class)));
    arguments.addAll(
        List.of("-classpath", libraries.collect(Collectors.joining(File.pathSeparator))));
    sources.forEach(source -> arguments.add(source.toString()));
    return arguments;
  }

  /** Runs one compilation after another; returns what each printed. */
  static List<String> run(Path folder, List<List<String>> compilations)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // What runs for seconds is not worth compiling well.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    for (String name : OPENED) {
      command.add("--add-opens=jdk.compiler/com.sun.tools.javac." + name + "=ALL-UNNAMED");
    }
    command.addAll(List.of("-cp", String.join(File.pathSeparator, CLASS_PATH)));
    command.add(KotlinCompiler.class.getName());
    List<Path> outputs = new ArrayList<>();
    for (List<String> arguments : compilations) {
      Path file = folder.resolve("compilation" + outputs.size());
      command.add(Files.write(file, arguments).toString());
      outputs.add(output(file));
    }
    Path log = folder.resolve("log");
    int status =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start()
            .waitFor();
    if (status != 0) {
      throw new IllegalStateException(Files.readString(log));
    }
    List<String> texts = new ArrayList<>();
    for (Path output : outputs) {
      texts.add(Files.readString(output));
    }
    return texts;
  }

  /** The other process: compiles by the arguments in each file. */
  public static void main(String[] files) throws IOException {
    for (String file : files) {
      String[] arguments = Files.readAllLines(Path.of(file)).toArray(new String[0]);
      try (PrintStream output =
          new PrintStream(output(Path.of(file)).toFile(), StandardCharsets.UTF_8)) {
        new K2JVMCompiler().exec(output, arguments);
      }
    }
  }

  private static Path output(Path file) {
    return file.resolveSibling(file.getFileName() + ".output");
  }

  private static void plugin(List<String> arguments, String option, String value) {
    arguments.add("-P");
    arguments.add("plugin:org.jetbrains.kotlin.kapt3:" + option + "=" + value);
  }

  /** Options as kapt takes them: a count, then names and values, in Base64. */
  private static String encoded(Map<String, String> options) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream stream = new ObjectOutputStream(bytes)) {
      stream.writeInt(options.size());
      for (Map.Entry<String, String> option : options.entrySet()) {
        stream.writeUTF(option.getKey());
        stream.writeUTF(option.getValue());
      }
    }
    return Base64.getEncoder().encodeToString(bytes.toByteArray());
  }

  private static String jar(String artifact) {
    return CLASS_PATH.stream()
        .filter(
            entry -> Path.of(entry).getFileName().toString().matches(artifact + "-[0-9.]+\\.jar"))
        .findFirst()
        .orElseThrow();
  }
}
