package org.powerattention.processor.validate;

import java.util.Optional;
import javax.annotation.processing.Messager;
import javax.annotation.processing.ProcessingEnvironment;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.TypeElement;
import javax.tools.Diagnostic;
import org.jspecify.annotations.Nullable;
import org.powerattention.processor.read.Anchor;
import org.powerattention.processor.read.Declaration;

/** Reports problems to the compiler, at the place where they were written. */
public final class Reporter {
  private static final String WHOLE = "";

  private final Messager messager;
  private final Optional<RepeatedPositions> repeatedPositions;

  /** Creates a reporter to a compiler. */
  public Reporter(ProcessingEnvironment environment) {
    messager = environment.getMessager();
    repeatedPositions = RepeatedPositions.of(environment);
  }

  /** Reports a problem of a declaration as a whole. */
  public void report(Declaration declaration, Problem problem, Object... arguments) {
    reportValue(WHOLE, declaration, problem, arguments);
  }

  /** Reports a problem of one value; at the annotation, if the value was left at its default. */
  public void reportValue(
      String valueName, Declaration declaration, Problem problem, Object... arguments) {
    if (declaration.count() == 1) {
      print(text(problem, "", arguments), declaration.anchor(), valueName);
      return;
    }
    // Where the place cannot be found, the error is at the type, and the text must tell which.
    String which = "declaration " + declaration.position() + " of " + declaration.count() + ": ";
    String message = text(problem, which, arguments);
    if (repeatedPositions.isEmpty()
        || !repeatedPositions.get().report(message, declaration, valueName)) {
      print(message, declaration.anchor(), valueName);
    }
  }

  /** Reports a problem of an option; options are written where no compiler sees them. */
  public void reportOption(Problem problem, Object... arguments) {
    messager.printMessage(problem.kind(), text(problem, "", arguments));
  }

  /** Reports a defect of the processor, met at a type. */
  public void reportDefect(TypeElement type, Throwable defect) {
    StackTraceElement[] trace = defect.getStackTrace();
    String place = trace.length == 0 ? "" : " at " + trace[0];
    messager.printMessage(Diagnostic.Kind.ERROR, text(Problem.INTERNAL, "", defect + place), type);
  }

  private void print(String message, Anchor anchor, String valueName) {
    @Nullable AnnotationValue value = anchor.values().get(valueName);
    if (value == null) {
      messager.printMessage(Diagnostic.Kind.ERROR, message, anchor.type(), anchor.annotation());
    } else {
      messager.printMessage(
          Diagnostic.Kind.ERROR, message, anchor.type(), anchor.annotation(), value);
    }
  }

  private static String text(Problem problem, String which, Object... arguments) {
    return "[" + problem.code() + "] " + which + problem.message(arguments);
  }
}
