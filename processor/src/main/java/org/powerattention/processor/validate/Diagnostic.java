package org.powerattention.processor.validate;

/**
 * Everything that can be wrong with a declaration. Codes are stable: they are never reused or
 * renumbered. A message says what was given, what is allowed, and the way out.
 */
public enum Diagnostic {
  /** Degree out of range. */
  DEGREE("PA001", "degree = %d; allowed: 1, 2, 3 or 4"),
  /** Head size out of range. */
  HEAD_DIM("PA002", "headDim = %d; allowed: multiples of 16 from 16 to 128; nearest: %d"),
  /** Chunk out of range. */
  CHUNK(
      "PA003",
      "chunk = %d; allowed: multiples of 64 from 64 to 65536; nearest: %d (or leave chunk out)"),
  /** Odd degree, normalised. */
  ODD_NORMALIZED(
      "PA004",
      "degree = %d with normalized = true: weights of an odd degree can be negative, so their sum"
          + " cannot normalise; set normalized = false, or use degree 2 or 4"),
  /** State too large. */
  STATE_SIZE(
      "PA005",
      "degree = %d with headDim = %d needs a state of %s per key/value head; allowed: up to %s;"
          + " what fits: headDim <= %d with degree = %1$d, or degree <= %d with headDim = %2$d"),
  /** Name that no class can have. */
  NAME("PA006", "name = \"%s\" is not a Java identifier, so there can be no class %sLauncher"),
  /** Two declarations on one type with one launcher. */
  DUPLICATE(
      "PA007",
      "more than one declaration on this type would be called %s; give each of them its own name"),
  /** Private type. */
  PRIVATE(
      "PA008",
      "%s is private or nested in a private type, so its launcher would stand for something that"
          + " nothing else can name; make it at least package-private"),
  /** Launcher's name is taken. */
  TAKEN("PA009", "there is already a type %s; give this declaration another name"),
  /** File cannot be written. */
  WRITE("PA010", "%s cannot be written: %s"),
  /** Our own mistake. */
  INTERNAL(
      "PA011", "the power attention processor failed, which is a defect of it; please report: %s");

  private final String code;
  private final String format;

  Diagnostic(String code, String format) {
    this.code = code;
    this.format = format;
  }

  /** Returns the stable code. */
  public String code() {
    return code;
  }

  /** Returns the message, code first. */
  public String message(Object... arguments) {
    return "[" + code + "] " + String.format(java.util.Locale.ROOT, format, arguments);
  }
}
