package org.powerattention.processor.read;

import java.util.HashMap;
import java.util.Map;
import javax.lang.model.element.AnnotationMirror;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.ExecutableElement;
import javax.lang.model.element.VariableElement;
import javax.lang.model.util.ElementFilter;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;

/** The values of an annotation, defaults included, each checked to be of its element's type. */
final class Values {
  /** What javac presents in place of a string that it could not resolve. */
  private static final String UNRESOLVED = "<error>";

  private final Map<String, Object> values = new HashMap<>();
  private boolean allResolved = true;

  Values(AnnotationMirror annotation) {
    for (ExecutableElement method :
        ElementFilter.methodsIn(annotation.getAnnotationType().asElement().getEnclosedElements())) {
      @Nullable AnnotationValue value = annotation.getElementValues().get(method);
      if (value == null) {
        value = method.getDefaultValue();
      }
      if (value != null) {
        values.put(method.getSimpleName().toString(), value.getValue());
      }
    }
  }

  int integer(String name) {
    return value(name, Integer.class, 0);
  }

  boolean bool(String name) {
    return value(name, Boolean.class, false);
  }

  String string(String name) {
    String text = value(name, String.class, "");
    allResolved &= !text.equals(UNRESOLVED);
    return text;
  }

  DType dtype(String name) {
    if (values.get(name) instanceof VariableElement constant) {
      for (DType dtype : DType.values()) {
        if (constant.getSimpleName().contentEquals(dtype.name())) {
          return dtype;
        }
      }
    }
    allResolved = false;
    return DType.BF16;
  }

  /** Returns whether every value asked for so far was there and of its type. */
  boolean allResolved() {
    return allResolved;
  }

  private <T> T value(String name, Class<T> type, T unresolved) {
    @Nullable Object value = values.get(name);
    if (type.isInstance(value)) {
      return type.cast(value);
    }
    allResolved = false;
    return unresolved;
  }
}
