package org.powerattention.runtime.spi;

/**
 * A program on a device. Safe for many threads. On CUDA, calls are enqueued on the problem's
 * stream; on the CPU, they have finished on return.
 */
public interface LoadedProgram extends AutoCloseable {
  /** Carries out a forward call. */
  void forward(ForwardProblem problem);

  /** Carries out a backward call. */
  default void backward(BackwardProblem problem) {
    throw new UnsupportedOperationException();
  }

  /** Carries out a prefill call. */
  default void prefill(PrefillProblem problem) {
    throw new UnsupportedOperationException();
  }

  /** Takes the tokens of a state's windows into its sums and leaves the windows empty. */
  default void foldWindow(StateView state, int batch, int keyHeads, long stream) {
    throw new UnsupportedOperationException();
  }

  /** Returns the bytes of workspace of a decode call of these sizes. */
  default long decodeWorkspaceBytes(int batch, int queryHeads, int keyHeads) {
    throw new UnsupportedOperationException();
  }

  /** Carries out a decode call; allocates nothing on the device. */
  default void decode(DecodeProblem problem) {
    throw new UnsupportedOperationException();
  }

  /** Records a decode call, without carrying it out. */
  default CapturedCall captureDecode(DecodeProblem problem) {
    throw new UnsupportedOperationException();
  }

  /** Unloads the program. */
  @Override
  void close();
}
