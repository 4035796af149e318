package org.powerattention.processor.read;

import java.util.Map;
import javax.lang.model.element.AnnotationMirror;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.TypeElement;

/**
 * Where a declaration was written, for diagnostics and as the origin of generated files.
 *
 * @param type the annotated type
 * @param annotation the annotation
 * @param values the values that were written, by element name; defaults are absent
 */
public record Anchor(
    TypeElement type, AnnotationMirror annotation, Map<String, AnnotationValue> values) {
  /** Copies the map. */
  public Anchor {
    values = Map.copyOf(values);
  }
}
