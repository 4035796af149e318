package org.powerattention.processor.validate;

import java.util.Locale;
import javax.tools.Diagnostic;

/**
 * The catalogue of what can be wrong with a declaration or an option. Each message says what was
 * given, what is allowed and what to do. Codes are stable: a code never changes its meaning and is
 * never reused.
 */
public enum Problem {
  /** The degree is out of range. */
  DEGREE(
      "PA001",
      "degree = %d; allowed: 1, 2, 3 and 4. Use 2, the usual choice; 1 and 3 need"
          + " normalized = false."),
  /** The head size is out of range or between two steps. */
  HEAD_DIM(
      "PA002",
      "headDim = %d; allowed: multiples of 16 from 16 to 128. Use %s, or change the number of heads"
          + " that the model's width is divided into."),
  /** The chunk is out of range or between two steps. */
  CHUNK(
      "PA003",
      "chunk = %d; allowed: multiples of 64 from 64 to 65536. Use %s, or leave chunk out and the"
          + " cost model chooses it."),
  /** An odd degree cannot be normalised. */
  ODD_DEGREE_NORMALIZED(
      "PA004",
      "normalized = true with degree = %d; allowed: true with degrees 2 and 4 only, because weights"
          + " of an odd degree can be negative and their sum can vanish. Use normalized = false or"
          + " an even degree."),
  /** The state is too large. */
  STATE_TOO_LARGE(
      "PA005",
      "degree = %d with headDim = %d has a state of %s per key/value head; allowed: up to %s. Use"
          + " %s."),
  /** The name cannot be part of a class name. */
  NAME(
      "PA006",
      "name = \"%s\"; allowed: a Java identifier that is not a keyword. Use a name such as \"%s\","
          + " for a launcher called %sLauncher."),
  /** Two declarations on one type lead to the same launcher. */
  DUPLICATE_NAME(
      "PA007",
      "the launcher would be called %s, as that of declaration %d on this type; allowed: a launcher"
          + " of its own for each declaration. Add a distinct name, such as name = \"%s\"."),
  /** The annotated type is private, or nested in a private one. */
  PRIVATE_TYPE(
      "PA008",
      "%s is private; allowed: types that their whole package can name, because the launcher is"
          + " a class of that package. Make it package-private, or annotate another type."),
  /** The launcher's name is taken by another declaration or another type. */
  LAUNCHER_EXISTS(
      "PA009",
      "the launcher would be called %s, which %s; allowed: a name that is free in its package. Add"
          + " a distinct name, such as name = \"%s\", or rename one of the two."),
  /** A generated file could not be written. */
  NOT_WRITTEN(
      "PA010",
      "the launcher %s could not be written: %s. Make the compiler's output directories writable"
          + " and compile again."),
  /** A defect of the processor. */
  INTERNAL(
      "PA011",
      "the processor failed on this declaration: %s. This is a defect of power-attention-processor;"
          + " please report it together with the declaration."),
  /** The classes that launchers call cannot be found. */
  RUNTIME_MISSING(
      "PA012",
      "%s cannot be found; allowed: compiling with the runtime that launchers call. Add the"
          + " dependency org.powerattention:power-attention-runtime%s."),
  /** An option in our namespace has a name that means nothing. */
  UNKNOWN_OPTION(
      "PA013",
      Diagnostic.Kind.WARNING,
      "%s is not an option; allowed: %s. Use %s, or leave it out."),
  /** An option has a value that it cannot have. */
  OPTION_VALUE("PA014", "%s = %s; allowed: %s. %s.");

  private final String code;
  private final Diagnostic.Kind kind;
  private final String format;

  Problem(String code, String format) {
    this(code, Diagnostic.Kind.ERROR, format);
  }

  Problem(String code, Diagnostic.Kind kind, String format) {
    this.code = code;
    this.kind = kind;
    this.format = format;
  }

  /** Returns the stable code, such as {@code PA001}. */
  public String code() {
    return code;
  }

  /** Returns whether it is an error or a warning. */
  public Diagnostic.Kind kind() {
    return kind;
  }

  /** Returns the message, without the code. */
  String message(Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }
}
