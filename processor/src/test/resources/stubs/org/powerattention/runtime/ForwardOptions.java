package org.powerattention.runtime;

public final class ForwardOptions {
  public static ForwardOptions defaults() {
    throw new UnsupportedOperationException();
  }
}
