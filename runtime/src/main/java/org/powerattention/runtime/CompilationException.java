package org.powerattention.runtime;

/** NVRTC rejected a generated source; {@link #log} holds what the compiler said. */
public final class CompilationException extends PowerAttentionException {
  private static final long serialVersionUID = 1;

  /** What the compiler said. */
  private final String log;

  /** Creates the exception. */
  public CompilationException(String message, String log) {
    super(log.isBlank() ? message : message + System.lineSeparator() + log.strip());
    this.log = log;
  }

  /** Returns the compiler's own output, which may be empty. */
  public String log() {
    return log;
  }
}
