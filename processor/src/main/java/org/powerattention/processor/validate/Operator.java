package org.powerattention.processor.validate;

import org.powerattention.annotations.KernelSpec;

/**
 * What a valid declaration asks for.
 *
 * @param packageName package of the launcher, empty for the default package
 * @param name name of the operator, such as {@code Outer_Inner}
 * @param typeName qualified name of the annotated type
 * @param isPublic whether the launcher is public
 * @param spec what is computed
 */
public record Operator(
    String packageName, String name, String typeName, boolean isPublic, KernelSpec spec) {
  /** Returns the simple name of the launcher. */
  public String launcherName() {
    return launcherName(name);
  }

  /** Returns the qualified name of the launcher. */
  public String qualifiedLauncherName() {
    return packageName.isEmpty() ? launcherName() : packageName + "." + launcherName();
  }

  static String launcherName(String name) {
    return name + "Launcher";
  }
}
