package org.powerattention.processor.read;

import com.google.auto.common.MoreElements;
import com.google.auto.common.Visibility;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.lang.model.element.AnnotationMirror;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.Element;
import javax.lang.model.element.Modifier;
import javax.lang.model.element.TypeElement;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.PowerAttention;

/** Reads the declarations that a type carries. */
public final class DeclarationReader {
  private static final String DECLARATION = PowerAttention.class.getCanonicalName();
  private static final String CONTAINER = PowerAttention.Declarations.class.getCanonicalName();

  private DeclarationReader() {}

  /**
   * Returns the declarations on a type in source order.
   *
   * @return empty if a value cannot be resolved: it is missing, of the wrong type, or refers to
   *     something that does not exist, at least not before other processors have run. The compiler
   *     reports that itself.
   */
  public static Optional<List<Declaration>> read(TypeElement element) {
    List<AnnotationMirror> annotations = new ArrayList<>();
    for (AnnotationMirror annotation : element.getAnnotationMirrors()) {
      if (isOf(annotation, DECLARATION)) {
        annotations.add(annotation);
      } else if (isOf(annotation, CONTAINER)) {
        AnnotationValue contained = writtenValues(annotation).get("value");
        if (contained == null || !(contained.getValue() instanceof List<?> values)) {
          return Optional.empty();
        }
        for (Object value : values) {
          if (!(((AnnotationValue) value).getValue() instanceof AnnotationMirror mirror)) {
            return Optional.empty();
          }
          annotations.add(mirror);
        }
      }
    }
    AnnotatedType type = typeOf(element);
    List<Declaration> declarations = new ArrayList<>();
    for (AnnotationMirror annotation : annotations) {
      @Nullable Declaration declaration =
          declaration(element, type, annotation, declarations.size() + 1, annotations.size());
      if (declaration == null) {
        return Optional.empty();
      }
      declarations.add(declaration);
    }
    return Optional.of(declarations);
  }

  private static @Nullable Declaration declaration(
      TypeElement element,
      AnnotatedType type,
      AnnotationMirror annotation,
      int position,
      int count) {
    Values values = new Values(annotation);
    Declaration declaration =
        new Declaration(
            type,
            position,
            count,
            values.integer("degree"),
            values.integer("headDim"),
            values.integer("chunk"),
            values.dtype("dtype"),
            values.bool("gated"),
            values.bool("normalized"),
            values.string("name"),
            new Anchor(element, annotation, writtenValues(annotation)));
    return values.allResolved() ? declaration : null;
  }

  private static AnnotatedType typeOf(TypeElement type) {
    Deque<String> simpleNames = new ArrayDeque<>();
    @Nullable String privateType = null;
    for (Element element = type;
        element instanceof TypeElement enclosing;
        element = element.getEnclosingElement()) {
      simpleNames.addFirst(enclosing.getSimpleName().toString());
      if (privateType == null && enclosing.getModifiers().contains(Modifier.PRIVATE)) {
        privateType = enclosing.getQualifiedName().toString();
      }
    }
    return new AnnotatedType(
        MoreElements.getPackage(type).getQualifiedName().toString(),
        List.copyOf(simpleNames),
        Visibility.effectiveVisibilityOfElement(type) == Visibility.PUBLIC,
        privateType);
  }

  private static Map<String, AnnotationValue> writtenValues(AnnotationMirror annotation) {
    Map<String, AnnotationValue> values = new LinkedHashMap<>();
    annotation
        .getElementValues()
        .forEach((method, value) -> values.put(method.getSimpleName().toString(), value));
    return values;
  }

  private static boolean isOf(AnnotationMirror annotation, String type) {
    return annotation.getAnnotationType().asElement() instanceof TypeElement element
        && element.getQualifiedName().contentEquals(type);
  }
}
