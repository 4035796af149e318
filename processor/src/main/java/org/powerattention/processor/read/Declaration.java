package org.powerattention.processor.read;

import java.util.List;
import org.powerattention.annotations.DType;

/**
 * One {@code @PowerAttention} as it was written, nothing checked.
 *
 * @param packageName the annotated type's package; empty for the default package
 * @param typeNames simple names of the types it is nested in, outermost first, and its own
 * @param isPublic whether it and all of those are public
 * @param isPrivate whether it or one of those is private
 * @param place the declaration
 * @param degree the power
 * @param headDim the head size
 * @param chunk the chunk, or {@code PowerAttention.AUTOMATIC}
 * @param dtype the element type
 * @param gated whether there are gates
 * @param normalized whether y is normalised
 * @param name the operator's name, or empty
 */
public record Declaration(
    String packageName,
    List<String> typeNames,
    boolean isPublic,
    boolean isPrivate,
    Place place,
    Declared<Integer> degree,
    Declared<Integer> headDim,
    Declared<Integer> chunk,
    Declared<DType> dtype,
    Declared<Boolean> gated,
    Declared<Boolean> normalized,
    Declared<String> name) {
  /** Copies the list. */
  public Declaration {
    typeNames = List.copyOf(typeNames);
  }

  /** Returns the annotated type's qualified name. */
  public String qualifiedName() {
    String nested = String.join(".", typeNames);
    return packageName.isEmpty() ? nested : packageName + "." + nested;
  }
}
