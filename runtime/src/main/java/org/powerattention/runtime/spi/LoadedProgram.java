package org.powerattention.runtime.spi;

import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A program on a device. Safe for many threads. On CUDA, calls are enqueued on the problem's
 * stream; on the CPU, they have finished on return.
 */
public interface LoadedProgram extends AutoCloseable {
  /** Carries out a forward call. */
  void forward(ForwardProblem problem);

  /**
   * Returns the bytes of the states that a forward call can keep for the backward call; 0 if that
   * has no use for them.
   *
   * @param initialState whether the call goes on from one
   */
  default long keptStateBytes(
      CallShape shape, boolean chunked, boolean initialState, @Nullable PackedView packed) {
    return 0;
  }

  /**
   * Returns ways to carry out the calls of a shape, other than those that the cost model takes for
   * each form.
   */
  default List<CallChoice> choices(CallShape shape) {
    return List.of();
  }

  /** Carries out calls of a shape that have the choice's form as it says, from now on. */
  default void choose(CallShape shape, CallChoice choice) {}

  /**
   * Returns what was measured of a shape, in words: by this process or, where the device keeps
   * files, an earlier one, or else now.
   */
  default String measured(CallShape shape, Supplier<String> measure) {
    return measure.get();
  }

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
