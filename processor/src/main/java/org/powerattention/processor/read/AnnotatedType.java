package org.powerattention.processor.read;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A type that carries declarations.
 *
 * @param packageName its package, empty for the default package
 * @param simpleNames simple names from the outermost enclosing type to the type itself
 * @param isPublic whether it and all that encloses it is public
 * @param privateType qualified name of the innermost private type among them, or null
 */
public record AnnotatedType(
    String packageName, List<String> simpleNames, boolean isPublic, @Nullable String privateType) {
  /** Copies the list. */
  public AnnotatedType {
    simpleNames = List.copyOf(simpleNames);
  }

  /** Returns the qualified name, such as {@code p.Outer.Inner}. */
  public String qualifiedName() {
    String nested = String.join(".", simpleNames);
    return packageName.isEmpty() ? nested : packageName + "." + nested;
  }
}
