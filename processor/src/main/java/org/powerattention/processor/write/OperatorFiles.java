package org.powerattention.processor.write;

import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.annotation.processing.Filer;
import javax.annotation.processing.FilerException;
import javax.lang.model.element.TypeElement;
import javax.tools.StandardLocation;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.validate.Operator;
import org.powerattention.processor.validate.Options;

/** Writes all files of an operator, each with the annotated type as its only origin. */
public final class OperatorFiles {
  private static final String RESOURCES = "META-INF/powerattention/";

  private final Filer filer;
  private final CudaSource cudaSource;
  private final LauncherWriter launcherWriter;
  private final Options options;

  /** Creates a writer to a compiler's output. */
  public OperatorFiles(
      Filer filer, CudaSource cudaSource, LauncherWriter launcherWriter, Options options) {
    this.filer = filer;
    this.cudaSource = cudaSource;
    this.launcherWriter = launcherWriter;
    this.options = options;
  }

  /**
   * Writes the launcher and one CUDA source per part and family that is wanted. All texts are made
   * before the first file is, and the launcher, whose name may be taken, comes first: what fails
   * leaves nothing behind.
   *
   * @param operator the operator
   * @param origin the annotated type
   * @param surroundings what the launcher is compiled with
   * @throws FilerException if the launcher's name is taken
   * @throws IOException if a file cannot be written
   */
  public void write(Operator operator, TypeElement origin, Surroundings surroundings)
      throws IOException {
    List<KernelPlan> plans =
        KernelPlan.all(operator.spec()).stream()
            .filter(plan -> options.families(plan.part()).contains(plan.family()))
            .toList();
    Map<String, String> sources = new LinkedHashMap<>();
    for (KernelPlan plan : plans) {
      sources.put(path(operator, plan), licensed(cudaSource.compose(operator, plan)));
    }
    String launcher = licensed(launcherWriter.write(operator, plans, surroundings));

    writeSource(operator.qualifiedLauncherName(), launcher, origin);
    for (Map.Entry<String, String> source : sources.entrySet()) {
      writeResource(RESOURCES + source.getKey(), source.getValue(), origin);
    }
    if (options.cudaDirectory().isPresent()) {
      for (Map.Entry<String, String> source : sources.entrySet()) {
        Path copy = options.cudaDirectory().get().resolve(source.getKey());
        Files.createDirectories(copy.getParent());
        Files.writeString(copy, source.getValue());
      }
    }
  }

  private String licensed(String text) {
    return options.licenseHeader().isEmpty() ? text : options.licenseHeader() + "\n\n" + text;
  }

  private void writeSource(String name, String text, TypeElement origin) throws IOException {
    try (Writer writer = filer.createSourceFile(name, origin).openWriter()) {
      writer.write(text);
    }
  }

  private void writeResource(String path, String text, TypeElement origin) throws IOException {
    // No writer: its encoding would be that of the compiler's options.
    try (OutputStream stream =
        filer.createResource(StandardLocation.CLASS_OUTPUT, "", path, origin).openOutputStream()) {
      stream.write(text.getBytes(StandardCharsets.UTF_8));
    } catch (FilerException e) {
      throw new IOException(path + " was written by another processor", e);
    }
  }

  /** Returns the absolute name of the resource that holds an operator's source by a plan. */
  static String resource(Operator operator, KernelPlan plan) {
    return "/" + RESOURCES + path(operator, plan);
  }

  private static String path(Operator operator, KernelPlan plan) {
    String folder =
        operator.packageName().isEmpty() ? "" : operator.packageName().replace('.', '/') + "/";
    return folder
        + operator.launcherName()
        + plan.part().suffix()
        + "."
        + plan.family().architecture()
        + ".cu";
  }
}
