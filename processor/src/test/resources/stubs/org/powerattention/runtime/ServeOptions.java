package org.powerattention.runtime;

public final class ServeOptions {
  public static ServeOptions defaults() {
    throw new UnsupportedOperationException();
  }
}
