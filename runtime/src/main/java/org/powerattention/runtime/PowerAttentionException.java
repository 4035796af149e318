package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;

/**
 * A failure of the runtime itself: of a device, its driver or its compiler. Its message says what
 * failed, where, and what to do. Bad arguments are an {@link IllegalArgumentException} instead, and
 * the use of something closed is an {@link IllegalStateException}.
 */
public class PowerAttentionException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Creates the exception. */
  public PowerAttentionException(String message) {
    super(message);
  }

  /** Creates the exception with what caused it. */
  public PowerAttentionException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
