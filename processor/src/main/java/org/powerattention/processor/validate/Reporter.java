package org.powerattention.processor.validate;

import javax.annotation.processing.Messager;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.TypeElement;
import javax.tools.Diagnostic;
import org.jspecify.annotations.Nullable;
import org.powerattention.processor.read.Anchor;
import org.powerattention.processor.read.Declaration;

/** Reports problems as compile errors at the place where they were written. */
public final class Reporter {
  private final Messager messager;

  /** Creates a reporter to a compiler. */
  public Reporter(Messager messager) {
    this.messager = messager;
  }

  /** Reports a problem of a declaration as a whole. */
  public void report(Declaration declaration, Problem problem, Object... arguments) {
    reportAt(null, declaration, problem, arguments);
  }

  /** Reports a problem of one value; at the annotation, if the value was left at its default. */
  public void reportValue(
      String element, Declaration declaration, Problem problem, Object... arguments) {
    reportAt(declaration.anchor().values().get(element), declaration, problem, arguments);
  }

  /** Reports a defect of the processor, met at a type. */
  public void reportInternal(TypeElement type, RuntimeException defect) {
    StackTraceElement[] trace = defect.getStackTrace();
    String place = trace.length == 0 ? "" : " at " + trace[0];
    messager.printMessage(Diagnostic.Kind.ERROR, text(Problem.INTERNAL, "", defect + place), type);
  }

  private void reportAt(
      @Nullable AnnotationValue value,
      Declaration declaration,
      Problem problem,
      Object... arguments) {
    Anchor anchor = declaration.anchor();
    // Compilers place what concerns one of several declarations at the type, so the text tells
    // which.
    String which =
        declaration.count() > 1
            ? "declaration " + declaration.position() + " of " + declaration.count() + ": "
            : "";
    String message = text(problem, which, arguments);
    if (value == null) {
      messager.printMessage(Diagnostic.Kind.ERROR, message, anchor.type(), anchor.annotation());
    } else {
      messager.printMessage(
          Diagnostic.Kind.ERROR, message, anchor.type(), anchor.annotation(), value);
    }
  }

  private static String text(Problem problem, String which, Object... arguments) {
    return problem.code() + ": " + which + problem.message(arguments);
  }
}
