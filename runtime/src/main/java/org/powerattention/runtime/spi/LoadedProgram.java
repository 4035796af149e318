package org.powerattention.runtime.spi;

/**
 * A program on a device. Safe for many threads. On CUDA, calls are enqueued on the problem's
 * stream; on the CPU, they have finished on return.
 */
public interface LoadedProgram extends AutoCloseable {
  /** Carries out a forward call. */
  void forward(ForwardProblem problem);

  /** Carries out a backward call. */
  void backward(BackwardProblem problem);

  /** Carries out a prefill call. */
  void prefill(PrefillProblem problem);

  /** Takes the tokens of a state's windows into its sums and leaves the windows empty. */
  void foldWindow(StateView state, int batch, int keyHeads, long stream);

  /** Returns the bytes of workspace of a decode call of these sizes. */
  long decodeWorkspaceBytes(int batch, int queryHeads, int keyHeads);

  /** Carries out a decode call; allocates nothing on the device. */
  void decode(DecodeProblem problem);

  /** Records a decode call, without carrying it out. */
  CapturedCall captureDecode(DecodeProblem problem);

  /** Unloads the program. */
  @Override
  void close();
}
