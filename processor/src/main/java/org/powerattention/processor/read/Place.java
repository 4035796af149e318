package org.powerattention.processor.read;

import javax.lang.model.element.AnnotationMirror;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.TypeElement;
import org.jspecify.annotations.Nullable;

/**
 * Where something was written, for diagnostics.
 *
 * @param type the annotated type
 * @param annotation the declaration
 * @param value the value, or null to mean the whole declaration
 */
public record Place(
    TypeElement type, AnnotationMirror annotation, @Nullable AnnotationValue value) {}
