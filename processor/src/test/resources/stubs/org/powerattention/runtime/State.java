package org.powerattention.runtime;

import java.io.OutputStream;

public final class State {
  public State copyTo(PowerAttentionOperator target) {
    throw new UnsupportedOperationException();
  }

  public void save(OutputStream target) {
    throw new UnsupportedOperationException();
  }
}
