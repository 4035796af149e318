package org.powerattention.runtime;

/** A call of the CUDA driver failed; the message names the call, the device and the remedy. */
public final class DeviceException extends PowerAttentionException {
  private static final long serialVersionUID = 1;

  /** Name of the driver function. */
  private final String call;

  /** The driver's CUresult. */
  private final int code;

  /**
   * Creates the exception.
   *
   * @param message what failed, on which device, and what to do
   * @param call name of the driver function, such as {@code cuLaunchKernel}
   * @param code the driver's result, a {@code CUresult}
   */
  public DeviceException(String message, String call, int code) {
    super(message);
    this.call = call;
    this.code = code;
  }

  /**
   * Creates the exception of a call that was refused because of an earlier failure.
   *
   * @param message what is refused, and why
   * @param cause the earlier failure
   */
  public DeviceException(String message, DeviceException cause) {
    super(message, cause);
    this.call = cause.call;
    this.code = cause.code;
  }

  /** Returns the name of the driver function that failed. */
  public String call() {
    return call;
  }

  /** Returns the driver's result code, a {@code CUresult}. */
  public int code() {
    return code;
  }
}
