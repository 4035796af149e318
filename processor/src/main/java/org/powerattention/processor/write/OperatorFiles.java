package org.powerattention.processor.write;

import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.annotation.processing.Filer;
import javax.annotation.processing.FilerException;
import javax.lang.model.element.TypeElement;
import javax.tools.StandardLocation;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.validate.Operator;

/** Writes all files of an operator, each with the annotated type as its only origin. */
public final class OperatorFiles {
  private final Filer filer;
  private final CudaSource cudaSource;
  private final LauncherWriter launcherWriter;

  /** Creates a writer to a compiler's output. */
  public OperatorFiles(Filer filer, CudaSource cudaSource, LauncherWriter launcherWriter) {
    this.filer = filer;
    this.cudaSource = cudaSource;
    this.launcherWriter = launcherWriter;
  }

  /**
   * Writes the launcher and one CUDA source per part and family. All texts are made before the
   * first file is, and the launcher, whose name may be taken, comes first: what fails leaves
   * nothing behind.
   *
   * @param operator the operator
   * @param origin the annotated type
   * @param markGenerated whether {@code @Generated} can be seen from the launcher's module
   * @throws FilerException if the launcher's name is taken
   * @throws IOException if a file cannot be written
   */
  public void write(Operator operator, TypeElement origin, boolean markGenerated)
      throws IOException {
    List<KernelPlan> plans = KernelPlan.all(operator.spec());
    Map<String, String> sources = new LinkedHashMap<>();
    for (KernelPlan plan : plans) {
      sources.put(resource(operator, plan), cudaSource.compose(operator, plan));
    }
    String launcher = launcherWriter.write(operator, plans, markGenerated);

    writeSource(operator.qualifiedLauncherName(), launcher, origin);
    for (Map.Entry<String, String> source : sources.entrySet()) {
      writeResource(source.getKey(), source.getValue(), origin);
    }
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

  /** Returns the path of an operator's source by a plan, from the root of the class output. */
  static String resource(Operator operator, KernelPlan plan) {
    String folder =
        operator.packageName().isEmpty() ? "" : operator.packageName().replace('.', '/') + "/";
    return "META-INF/powerattention/"
        + folder
        + operator.launcherName()
        + plan.part().suffix()
        + "."
        + plan.family().architecture()
        + ".cu";
  }
}
