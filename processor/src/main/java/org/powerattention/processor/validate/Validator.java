package org.powerattention.processor.validate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.lang.model.SourceVersion;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.read.AnnotatedType;
import org.powerattention.processor.read.Declaration;

/** Checks all declarations of a type, and names their launchers. */
public final class Validator {
  private final Reporter reporter;
  private final SpecRules specRules;

  /** Creates a validator that reports what it rejects. */
  public Validator(Reporter reporter) {
    this.reporter = reporter;
    this.specRules = new SpecRules(reporter);
  }

  /**
   * A declaration that passed.
   *
   * @param operator what it asks for
   * @param declaration where it came from
   */
  public record Valid(Operator operator, Declaration declaration) {}

  /** Returns those of a type's declarations that are valid; each mistake is reported once. */
  public List<Valid> validate(List<Declaration> declarations) {
    if (!declarations.isEmpty() && !checkVisible(declarations.get(0))) {
      return List.of();
    }
    List<Valid> valid = new ArrayList<>();
    Map<String, Declaration> byName = new HashMap<>();
    for (Declaration declaration : declarations) {
      boolean spec = specRules.check(declaration);
      boolean name = checkName(declaration) && checkDistinct(declaration, byName);
      if (spec && name) {
        valid.add(new Valid(operator(declaration), declaration));
      }
    }
    return valid;
  }

  /** Privacy is a mistake of the type, so it is reported once, at the first declaration. */
  private boolean checkVisible(Declaration first) {
    @Nullable String privateType = first.type().privateType();
    if (privateType == null) {
      return true;
    }
    reporter.report(first, Problem.PRIVATE_TYPE, privateType);
    return false;
  }

  private boolean checkName(Declaration declaration) {
    String name = declaration.name();
    if (name.isEmpty() || isIdentifier(name)) {
      return true;
    }
    String usable = usable(name, typeName(declaration.type()));
    reporter.reportValue("name", declaration, Problem.NAME, name, usable, usable);
    return false;
  }

  private boolean checkDistinct(Declaration declaration, Map<String, Declaration> byName) {
    String name = name(declaration);
    @Nullable Declaration first = byName.putIfAbsent(name, declaration);
    if (first == null) {
      return true;
    }
    reporter.reportValue(
        "name",
        declaration,
        Problem.DUPLICATE_NAME,
        Operator.launcherName(name),
        first.position(),
        typeName(declaration.type()) + declaration.position());
    return false;
  }

  private static Operator operator(Declaration declaration) {
    AnnotatedType type = declaration.type();
    return new Operator(
        type.packageName(),
        name(declaration),
        type.qualifiedName(),
        type.isPublic(),
        KernelSpec.of(
            declaration.degree(),
            declaration.headDim(),
            declaration.chunk(),
            declaration.dtype(),
            declaration.gated(),
            declaration.normalized()));
  }

  private static String name(Declaration declaration) {
    return declaration.name().isEmpty() ? typeName(declaration.type()) : declaration.name();
  }

  private static String typeName(AnnotatedType type) {
    return String.join("_", type.simpleNames());
  }

  private static boolean isIdentifier(String name) {
    // Ignorable characters count as parts of identifiers, but two names that differ in them look
    // alike.
    return SourceVersion.isIdentifier(name)
        && !SourceVersion.isKeyword(name)
        && name.codePoints().noneMatch(Character::isIdentifierIgnorable);
  }

  /** Returns an identifier close to a name that is none; if nothing is left of it, another. */
  private static String usable(String name, String otherwise) {
    StringBuilder kept = new StringBuilder();
    name.codePoints()
        .filter(c -> Character.isJavaIdentifierPart(c) && !Character.isIdentifierIgnorable(c))
        .dropWhile(c -> !Character.isJavaIdentifierStart(c))
        .forEach(kept::appendCodePoint);
    String identifier = kept.toString();
    return isIdentifier(identifier) ? identifier : otherwise;
  }
}
