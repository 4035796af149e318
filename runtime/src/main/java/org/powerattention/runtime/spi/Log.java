package org.powerattention.runtime.spi;

/** The library's logger. */
public final class Log {
  private static final System.Logger LOGGER = System.getLogger("org.powerattention");

  private Log() {}

  /**
   * Returns it. Nobody should ask before there is something to say: setting up the JDK's logging
   * takes some 20 ms of a program's start.
   */
  public static System.Logger get() {
    return LOGGER;
  }
}
