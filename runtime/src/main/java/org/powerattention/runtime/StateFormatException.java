package org.powerattention.runtime;

import java.io.IOException;

/**
 * What was to be loaded is not a state that the operator can continue: not a state at all, cut off,
 * damaged, written by a newer version, or of another spec. The message says which, and nothing has
 * been loaded.
 */
public final class StateFormatException extends IOException {
  private static final long serialVersionUID = 1;

  /** Creates the exception. */
  public StateFormatException(String message) {
    super(message);
  }
}
