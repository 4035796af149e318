package org.powerattention.runtime.spi;

/** A program on a device. Safe for many threads. */
public interface LoadedProgram extends AutoCloseable {
  /** Carries out a forward call; on CUDA it is enqueued on the problem's stream. */
  void forward(ForwardProblem problem);

  /** Unloads the program. */
  @Override
  void close();
}
