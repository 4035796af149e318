package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;

/** CUDA cannot be used in this process; the message says why and what to install or change. */
public final class CudaUnavailableException extends PowerAttentionException {
  private static final long serialVersionUID = 1;

  /** Creates the exception. */
  public CudaUnavailableException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
