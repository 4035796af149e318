package org.powerattention.runtime;

public final class BackwardOptions {
  public static BackwardOptions defaults() {
    throw new UnsupportedOperationException();
  }
}
