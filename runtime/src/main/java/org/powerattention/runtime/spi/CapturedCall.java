package org.powerattention.runtime.spi;

/** A call that was recorded with its arguments' places and can be carried out again and again. */
public interface CapturedCall extends AutoCloseable {
  /** Carries it out on a stream; allocates nothing. */
  void launch(long stream);

  /** Frees the record. */
  @Override
  void close();
}
