package org.powerattention.processor.validate;

import org.powerattention.annotations.KernelSpec;

/**
 * A valid declaration.
 *
 * @param spec what it denotes
 * @param packageName package of the annotated type and of the launcher; empty for the default one
 * @param typeName qualified name of the annotated type
 * @param launcherName simple name of the launcher
 * @param isPublic whether the launcher is public
 */
public record Operator(
    KernelSpec spec, String packageName, String typeName, String launcherName, boolean isPublic) {
  private static final String SUFFIX = "Launcher";

  /** Returns the launcher's simple name for an operator's name. */
  static String launcherName(String operatorName) {
    return operatorName + SUFFIX;
  }

  /** Returns the operator's name: the launcher's without its suffix. */
  public String name() {
    return launcherName.substring(0, launcherName.length() - SUFFIX.length());
  }

  /** Returns the launcher's qualified name. */
  public String qualifiedLauncherName() {
    return packageName.isEmpty() ? launcherName : packageName + "." + launcherName;
  }

  /** Returns the name of the resource with the CUDA source for an architecture. */
  public String resource(String architecture) {
    return "META-INF/powerattention/"
        + (packageName.isEmpty() ? "" : packageName.replace('.', '/') + "/")
        + launcherName
        + "."
        + architecture
        + ".cu";
  }

  /** Returns the declaration with every value resolved, as it would be written. */
  public String declaration() {
    return "@PowerAttention(degree = "
        + spec.degree()
        + ", headDim = "
        + spec.headDim()
        + ", chunk = "
        + spec.chunk()
        + ", dtype = "
        + spec.dtype()
        + ", gated = "
        + spec.gated()
        + ", normalized = "
        + spec.normalized()
        + ")";
  }
}
