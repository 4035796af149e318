package org.powerattention.processor.read;

import com.google.auto.common.MoreElements;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.lang.model.element.AnnotationMirror;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.Element;
import javax.lang.model.element.ExecutableElement;
import javax.lang.model.element.Modifier;
import javax.lang.model.element.TypeElement;
import javax.lang.model.element.VariableElement;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/** Reads the declarations on a type. */
public final class DeclarationReader {
  private DeclarationReader() {}

  /**
   * Returns a type's declarations in source order, or empty if a value cannot be read: it refers to
   * something that does not exist, or not yet. The compiler reports that itself.
   */
  public static Optional<List<Declaration>> read(TypeElement type) {
    List<Declaration> declarations = new ArrayList<>();
    for (AnnotationMirror annotation : declarationsOn(type)) {
      Optional<Declaration> declaration = read(type, annotation);
      if (declaration.isEmpty()) {
        return Optional.empty();
      }
      declarations.add(declaration.get());
    }
    return Optional.of(declarations);
  }

  private static List<AnnotationMirror> declarationsOn(TypeElement type) {
    List<AnnotationMirror> found = new ArrayList<>();
    for (AnnotationMirror annotation : type.getAnnotationMirrors()) {
      TypeElement annotationType = MoreElements.asType(annotation.getAnnotationType().asElement());
      if (annotationType
          .getQualifiedName()
          .contentEquals(PowerAttention.class.getCanonicalName())) {
        found.add(annotation);
      } else if (annotationType
          .getQualifiedName()
          .contentEquals(PowerAttention.Declarations.class.getCanonicalName())) {
        for (AnnotationValue contained : annotation.getElementValues().values()) {
          if (contained.getValue() instanceof List<?> list) {
            for (Object item : list) {
              if (item instanceof AnnotationValue value
                  && value.getValue() instanceof AnnotationMirror mirror) {
                found.add(mirror);
              }
            }
          }
        }
      }
    }
    return found;
  }

  private static Optional<Declaration> read(TypeElement type, AnnotationMirror annotation) {
    Values values = new Values(type, annotation);
    Optional<Declared<Integer>> degree = values.get("degree", Integer.class);
    Optional<Declared<Integer>> headDim = values.get("headDim", Integer.class);
    Optional<Declared<Integer>> chunk = values.get("chunk", Integer.class);
    Optional<Declared<DType>> dtype = values.dtype();
    Optional<Declared<Boolean>> gated = values.get("gated", Boolean.class);
    Optional<Declared<Boolean>> normalized = values.get("normalized", Boolean.class);
    Optional<Declared<String>> name = values.get("name", String.class);
    if (degree.isEmpty()
        || headDim.isEmpty()
        || chunk.isEmpty()
        || dtype.isEmpty()
        || gated.isEmpty()
        || normalized.isEmpty()
        || name.isEmpty()) {
      return Optional.empty();
    }
    List<String> names = new ArrayList<>();
    boolean isPublic = true;
    boolean isPrivate = false;
    for (Element element = type;
        element instanceof TypeElement;
        element = element.getEnclosingElement()) {
      names.add(0, element.getSimpleName().toString());
      isPublic &= element.getModifiers().contains(Modifier.PUBLIC);
      isPrivate |= element.getModifiers().contains(Modifier.PRIVATE);
    }
    return Optional.of(
        new Declaration(
            MoreElements.getPackage(type).getQualifiedName().toString(),
            names,
            isPublic,
            isPrivate,
            new Place(type, annotation, null),
            degree.get(),
            headDim.get(),
            chunk.get(),
            dtype.get(),
            gated.get(),
            normalized.get(),
            name.get()));
  }

  /** The values of one annotation, defaults included. */
  private static final class Values {
    private final TypeElement type;
    private final AnnotationMirror annotation;
    private final Map<String, AnnotationValue> written = new LinkedHashMap<>();
    private final Map<String, AnnotationValue> all = new LinkedHashMap<>();

    Values(TypeElement type, AnnotationMirror annotation) {
      this.type = type;
      this.annotation = annotation;
      annotation.getElementValues().forEach((key, value) -> written.put(nameOf(key), value));
      for (Element member : annotation.getAnnotationType().asElement().getEnclosedElements()) {
        if (member instanceof ExecutableElement element) {
          AnnotationValue value = written.getOrDefault(nameOf(element), element.getDefaultValue());
          if (value != null) {
            all.put(nameOf(element), value);
          }
        }
      }
    }

    private static String nameOf(ExecutableElement element) {
      return element.getSimpleName().toString();
    }

    <T> Optional<Declared<T>> get(String name, Class<T> valueType) {
      AnnotationValue value = all.get(name);
      if (value == null || !valueType.isInstance(value.getValue())) {
        return Optional.empty();
      }
      return Optional.of(declared(name, valueType.cast(value.getValue())));
    }

    Optional<Declared<DType>> dtype() {
      AnnotationValue value = all.get("dtype");
      if (value == null || !(value.getValue() instanceof VariableElement constant)) {
        return Optional.empty();
      }
      for (DType dtype : DType.values()) {
        if (constant.getSimpleName().contentEquals(dtype.name())) {
          return Optional.of(declared("dtype", dtype));
        }
      }
      return Optional.empty();
    }

    private <T> Declared<T> declared(String name, T value) {
      boolean explicit = written.containsKey(name);
      return new Declared<>(value, explicit, new Place(type, annotation, written.get(name)));
    }
  }
}
