package org.powerattention.examples.benchmarks;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ForkJoinPool;
import java.util.function.Consumer;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.powerattention.kernels.Power2Dim64UngatedLauncher;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.CudaUnavailableException;
import org.powerattention.runtime.Precompiler;

/** Times what comes before a call: javac, NVRTC, and the start of a program, each in a process. */
final class Startup {
  private static final int RUNS = 11;
  private static final int JAVAC_RUNS = 5;
  private static final int DECLARATIONS = 9;
  private static final String LAUNCHER = Power2Dim64UngatedLauncher.class.getName();

  /** NVRTC keeps what it compiled where the driver keeps its own, unless this is 1. */
  private static final String NO_CUDA_CACHE = "CUDA_CACHE_DISABLE";

  private final Path directory;
  private final Consumer<StartupRow> rows;

  /** As an application has it: the virtual machine archives classes of jars alone. */
  private final String classPath;

  private Startup(Path directory, Consumer<StartupRow> rows) throws IOException {
    this.directory = directory;
    this.rows = rows;
    this.classPath = classPath(directory);
  }

  /** Measures everything that this machine has. */
  static void measure(Consumer<StartupRow> rows) throws Exception {
    Path directory = Files.createTempDirectory("startup");
    try {
      Startup startup = new Startup(directory, rows);
      startup.javac();
      startup.nvrtc();
      startup.programs();
    } finally {
      try (Stream<Path> files = Files.walk(directory)) {
        files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
      }
    }
  }

  private void javac() throws Exception {
    Path javac = Path.of(System.getProperty("java.home"), "bin", "javac");
    if (!Files.exists(javac)) {
      System.out.println("No compile times: this Java runtime has no javac.");
      return;
    }
    double[] none = javac(javac, 0);
    double[] one = javac(javac, 1);
    double[] several = javac(javac, DECLARATIONS);
    rows.accept(StartupRow.of("compile", "javac, the processor, no declaration", none));
    rows.accept(StartupRow.of("compile", "javac, the processor, 1 declaration", one));
    double[] further = new double[several.length];
    for (int i = 0; i < further.length; i++) {
      further[i] = (several[i] - GpuClock.median(one)) / (DECLARATIONS - 1);
    }
    rows.accept(StartupRow.of("compile", "each further declaration", further));
  }

  private double[] javac(Path javac, int declarations) throws Exception {
    Path sources = Files.createDirectories(directory.resolve("sources" + declarations));
    Files.writeString(sources.resolve("Model.java"), "package p; interface Model {}");
    for (int i = 0; i < declarations; i++) {
      Files.writeString(
          sources.resolve("Layer" + i + ".java"),
          """
          package p;
          @org.powerattention.annotations.PowerAttention(degree = 2, headDim = %d)
          interface Layer%d {}
          """
              .formatted(16 + 16 * (i % 4), i));
    }
    List<String> command = new ArrayList<>(List.of(javac.toString(), "-cp", classPath));
    command.addAll(List.of("-processorpath", classPath, "-proc:full"));
    if (Runtime.version().feature() < 21) {
      command.remove("-proc:full"); // the default, without a name
    }
    command.addAll(List.of("-d", directory.resolve("classes" + declarations).toString()));
    try (Stream<Path> files = Files.list(sources)) {
      files.sorted().map(Path::toString).forEach(command::add);
    }
    return repeat(JAVAC_RUNS, () -> run(command, ""));
  }

  /** Compiles an operator's sources one after the other; the library's own events say how long. */
  private void nvrtc() throws Exception {
    Path file = directory.resolve("nvrtc.jfr");
    try (Recording recording = new Recording()) {
      recording.start();
      String[] arguments = {architecture(), directory.resolve("precompiled").toString(), LAUNCHER};
      // Its parallel streams take the threads of the pool that it runs in.
      ForkJoinPool alone = new ForkJoinPool(1);
      try {
        alone
            .submit(
                () -> {
                  Precompiler.main(arguments);
                  return null;
                })
            .get();
      } finally {
        alone.shutdown();
      }
      recording.stop();
      recording.dump(file);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof CudaUnavailableException) {
        System.out.println("No times of NVRTC: " + e.getCause().getMessage());
        return;
      }
      throw e;
    }
    List<RecordedEvent> compilations = new ArrayList<>();
    for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
      if (event.getEventType().getName().equals("org.powerattention.Compilation")) {
        compilations.add(event);
      }
    }
    if (Accelerator.cudaUnavailable().isEmpty() && !"1".equals(System.getenv(NO_CUDA_CACHE))) {
      System.out.println("No times of NVRTC, which has a cache: set " + NO_CUDA_CACHE + "=1");
      return;
    }
    compilations.sort(Comparator.comparing(event -> event.getString("source")));
    for (RecordedEvent event : compilations) {
      String what = event.getString("source") + " for " + event.getString("architecture");
      double[] milliseconds = {event.getDuration().toNanos() / 1e6};
      rows.accept(StartupRow.of("compile", what, milliseconds));
    }
  }

  /** Returns the architecture of the GPU, or one to compile for where there is none. */
  private static String architecture() {
    if (Accelerator.cudaUnavailable().isPresent()) {
      return "sm_90";
    }
    try (Accelerator gpu = Accelerator.cuda(0)) {
      return gpu.name().replaceAll(".*, (sm_\\d+)\\)", "$1");
    }
  }

  private void programs() throws Exception {
    start("the virtual machine alone", "nothing", classPath);
    start("first result on the CPU", "cpu", classPath);
    shared("first result on the CPU, shared archive of classes", "cpu", classPath);
    if (Accelerator.cudaUnavailable().isPresent()) {
      System.out.println("No start on a GPU: " + Accelerator.cudaUnavailable().get());
      return;
    }
    Path kernels = directory.resolve("cache").resolve("kernels");
    double[] cold = repeat(1, () -> run(java("gpu", classPath, List.of()), FirstResult.LINE));
    rows.accept(StartupRow.of("start", "first result on the GPU, empty kernel cache", cold));
    start("first result on the GPU, warm kernel cache", "gpu", classPath);
    shared("first result on the GPU, warm, shared archive of classes", "gpu", classPath);
    if (!Files.isDirectory(kernels)) {
      throw new IllegalStateException("no kernel was cached in " + kernels);
    }
    String built = directory.resolve("precompiled") + File.pathSeparator + classPath;
    start("first result on the GPU, kernels compiled at build time", "gpu", built);
  }

  private void start(String what, String device, String classPath) throws Exception {
    start(what, java(device, classPath, List.of()));
  }

  private void start(String what, List<String> command) throws Exception {
    double ignored = run(command, FirstResult.LINE); // brings the files into memory
    rows.accept(StartupRow.of("start", what, repeat(RUNS, () -> run(command, FirstResult.LINE))));
  }

  /** Starts with an archive of the classes that a run before has loaded. */
  private void shared(String what, String device, String classPath) throws Exception {
    String archive = directory.resolve(device + ".jsa").toString();
    boolean made;
    try {
      double ignored =
          run(
              java(device, classPath, List.of("-XX:ArchiveClassesAtExit=" + archive)),
              FirstResult.LINE);
      made = Files.exists(Path.of(archive));
    } catch (IllegalStateException e) {
      // A virtual machine without an archive of the JDK's own classes refuses to start with this.
      made = false;
    }
    if (made) {
      start(what, java(device, classPath, List.of("-XX:SharedArchiveFile=" + archive)));
    } else {
      System.out.println("No times with a shared archive: this Java runtime makes none.");
    }
  }

  private List<String> java(String device, String classPath, List<String> options) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    command.add("-Dpowerattention.cache=" + directory.resolve("cache"));
    String nvrtc = System.getProperty("powerattention.nvrtc");
    if (nvrtc != null) {
      command.add("-Dpowerattention.nvrtc=" + nvrtc);
    }
    if (Runtime.version().feature() >= 24) {
      command.add("--enable-native-access=ALL-UNNAMED");
    }
    command.addAll(List.of("-cp", classPath, FirstResult.class.getName(), device));
    return command;
  }

  /** Returns this process's class path, with a jar in the place of each directory. */
  private static String classPath(Path directory) throws IOException {
    List<String> elements = new ArrayList<>();
    for (String element : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      Path path = Path.of(element);
      if (Files.isDirectory(path)) {
        Path jar = directory.resolve("classes" + elements.size() + ".jar");
        pack(path, jar);
        elements.add(jar.toString());
      } else {
        elements.add(element);
      }
    }
    return String.join(File.pathSeparator, elements);
  }

  private static void pack(Path classes, Path jar) throws IOException {
    try (Stream<Path> files = Files.walk(classes);
        JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        out.putNextEntry(new ZipEntry(classes.relativize(file).toString()));
        Files.copy(file, out);
      }
    }
  }

  private static double[] repeat(int runs, Callable<Double> run) throws Exception {
    double[] milliseconds = new double[runs];
    for (int i = 0; i < runs; i++) {
      milliseconds[i] = run.call();
    }
    return milliseconds;
  }

  /** Returns the milliseconds until a process prints a line, or, without one, until it ends. */
  private double run(List<String> command, String line) throws IOException, InterruptedException {
    Path errors = directory.resolve("errors.txt");
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors.toFile());
    builder.environment().put(NO_CUDA_CACHE, "1");
    long start = System.nanoTime();
    Process process = builder.start();
    long end = 0;
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8)) {
      for (String said = output.readLine(); said != null; said = output.readLine()) {
        if (said.equals(line)) {
          end = System.nanoTime();
        }
      }
    }
    if (process.waitFor() != 0) {
      throw new IllegalStateException(command + ":\n" + Files.readString(errors));
    }
    return ((line.isEmpty() ? System.nanoTime() : end) - start) / 1e6;
  }
}
