import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import javax.annotation.processing.Generated;
import org.jspecify.annotations.NullMarked;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.BackwardTiling;
import org.powerattention.runtime.DecodeStep;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.KernelImage;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.PowerAttentionOperator;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.ServeOptions;
import org.powerattention.runtime.ServingTiling;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * Power attention of degree 1 on heads of 32 numbers in FP32, not gated, not normalised. Declared
 * on {@code Model.Layer}.
 *
 * <pre>
 *   w_ij = scale * &lt;q_i, k_j&gt;,   j &lt;= i
 *   y_i  = sum_j w_ij v_j
 * </pre>
 *
 * <p>(arXiv 2507.04239.) q and y are [b, t, hq, 32], k and v [b, t, h, 32], in FP32. Query head r
 * reads key/value head r / (hq / h). Packed sequences have no batch dimension: q is [total, hq,
 * 32], and so on. The scale is 1/sqrt(32) unless given. Sums are kept in fp32.
 *
 * <ul>
 *   <li>Features of a key: D = 32
 *   <li>State of a key/value head: 4.0 KiB, and 32.0 KiB for its latest tokens (up to 128),
 *       whatever the context length
 *   <li>Attention form: 64 FLOPs per token and head for each token of context
 *   <li>Chunked form: 20,480 FLOPs per token and head, in chunks of 256 tokens
 *   <li>The chunked form takes fewer FLOPs from 321 tokens on
 *   <li>Device memory of a forward call in chunked form, beyond its tensors: about 4.0 KiB for each
 *       chunk and key/value head, for the state at the chunk's start
 *   <li>Backward: about 2.5 times the FLOPs of forward
 *   <li>Saved for backward: 4.0 KiB per chunk and key/value head
 *   <li>Decode: a token reads the state and its latest tokens, 36.0 KiB at most for each key/value
 *       head, and writes the state once in 64 tokens
 * </ul>
 *
 * <p>Safe for many threads.
 */
@Generated("org.powerattention.processor.PowerAttentionProcessor")
@NullMarked
final class Model_LayerLauncher implements AutoCloseable {
  /** What was declared, with every value resolved. */
  public static final KernelSpec SPEC = new KernelSpec(1, 32, 256, DType.FP32, false, false);

  private static final KernelProgram PROGRAM =
      new KernelProgram(
          "Model_Layer",
          SPEC,
          Model_LayerLauncher.class,
          /* forward= */ List.of(
              new KernelImage<>(
                  "sm_80",
                  "/META-INF/powerattention/Model_LayerLauncher.sm_80.cu",
                  new ForwardTiling(
                      /* outputRows= */ 64,
                      /* outputThreads= */ 256,
                      /* outputSharedBytes= */ 27904,
                      /* stateFeatures= */ 64,
                      /* stateThreads= */ 256,
                      /* stateSharedBytes= */ 17024,
                      /* snapshotBytes= */ 4096L,
                      /* byWarpgroups= */ false)),
              new KernelImage<>(
                  "sm_90a",
                  "/META-INF/powerattention/Model_LayerLauncher.sm_90a.cu",
                  new ForwardTiling(
                      /* outputRows= */ 64,
                      /* outputThreads= */ 256,
                      /* outputSharedBytes= */ 27904,
                      /* stateFeatures= */ 64,
                      /* stateThreads= */ 256,
                      /* stateSharedBytes= */ 17024,
                      /* snapshotBytes= */ 4096L,
                      /* byWarpgroups= */ false))),
          /* backward= */ List.of(
              new KernelImage<>(
                  "sm_80",
                  "/META-INF/powerattention/Model_LayerLauncher.backward.sm_80.cu",
                  new BackwardTiling(
                      /* stateFeatures= */ 32,
                      /* stateThreads= */ 64,
                      /* stateSharedBytes= */ 21760,
                      /* queryRows= */ 128,
                      /* queryThreads= */ 256,
                      /* querySharedBytes= */ 82688,
                      /* keyRows= */ 64,
                      /* keyThreads= */ 128,
                      /* keySharedBytes= */ 52224,
                      /* byWarpgroups= */ false,
                      /* snapshotBytes= */ 4096L)),
              new KernelImage<>(
                  "sm_90a",
                  "/META-INF/powerattention/Model_LayerLauncher.backward.sm_90a.cu",
                  new BackwardTiling(
                      /* stateFeatures= */ 32,
                      /* stateThreads= */ 64,
                      /* stateSharedBytes= */ 21760,
                      /* queryRows= */ 128,
                      /* queryThreads= */ 256,
                      /* querySharedBytes= */ 82688,
                      /* keyRows= */ 64,
                      /* keyThreads= */ 128,
                      /* keySharedBytes= */ 52224,
                      /* byWarpgroups= */ false,
                      /* snapshotBytes= */ 4096L))),
          /* serving= */ List.of(
              new KernelImage<>(
                  "sm_80",
                  "/META-INF/powerattention/Model_LayerLauncher.serving.sm_80.cu",
                  new ServingTiling(
                      /* decodeFeatures= */ 64,
                      /* decodeThreads= */ 256,
                      /* decodeSharedBytes= */ 29440,
                      /* partialNumbers= */ 32))));

  private final PowerAttentionOperator operator;

  private Model_LayerLauncher(PowerAttentionOperator operator) {
    this.operator = operator;
  }

  /**
   * Loads the operator on a device. For CUDA, its kernels are compiled the first time and kept in a
   * cache on disk: those of forward now, the others when they are first used.
   *
   * @param accelerator the device, to be closed after the launcher
   */
  public static Model_LayerLauncher on(Accelerator accelerator) {
    return new Model_LayerLauncher(PowerAttentionOperator.load(accelerator, PROGRAM));
  }

  /**
   * Computes y into a new contiguous tensor, with the default options.
   *
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @return y [b, t, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor forward(Tensor q, Tensor k, Tensor v) {
    return forward(q, k, v, ForwardOptions.defaults());
  }

  /**
   * Computes y into a new contiguous tensor.
   *
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param options form, scale, states, packed sequences, what to save, and stream
   * @return y [b, t, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor forward(Tensor q, Tensor k, Tensor v, ForwardOptions options) {
    return operator.forward(q, k, v, null, options);
  }

  /**
   * Computes y into a given tensor.
   *
   * @param y outputs [b, t, hq, 32], FP32; overlaps no input
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param options form, scale, states, packed sequences, what to save, and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public void forwardInto(Tensor y, Tensor q, Tensor k, Tensor v, ForwardOptions options) {
    operator.forwardInto(y, q, k, v, null, options);
  }

  /**
   * Computes y over contiguous device memory of the caller's; CUDA only. Copies nothing.
   *
   * @param q address of queries [b, t, hq, 32], FP32
   * @param k address of keys [b, t, h, 32], FP32; h divides hq
   * @param v address of values [b, t, h, 32], FP32
   * @param y address of outputs [b, t, hq, 32], FP32; overlaps no input
   * @param batch sequences b
   * @param tokens tokens t of each; of packed sequences, those of all together
   * @param queryHeads query heads hq, a multiple of {@code keyHeads}
   * @param keyHeads key/value heads h
   * @param options form, scale, states, packed sequences, what to save, and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   * @throws UnsupportedOperationException on the CPU
   */
  public void forward(
      long q,
      long k,
      long v,
      long y,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      ForwardOptions options) {
    operator.forward(q, k, v, 0L, y, batch, tokens, queryHeads, keyHeads, options);
  }

  /**
   * Returns a place for what a forward call keeps for the backward call, which computes it again
   * where there is none.
   *
   * @param batch sequences b; 1 if they are packed
   * @param tokens tokens t of each; of packed sequences, those of all together
   * @param queryHeads query heads hq
   * @return the place, to be closed; it takes 4.0 KiB per chunk and key/value head
   * @throws IllegalArgumentException if a size is not positive
   * @throws IllegalStateException if the launcher is closed
   */
  public SavedForward newSavedForward(int batch, int tokens, int queryHeads) {
    return operator.newSavedForward(batch, tokens, queryHeads);
  }

  /**
   * Returns tensors for the gradients of calls, to be written by {@link #backwardInto}.
   *
   * @param q queries of such a call, for their shape
   * @param k keys of such a call, for their shape
   * @param options its options: whether there is an initial state, and packed sequences
   * @return the tensors, to be closed; what they hold is undefined
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Gradients newGradients(Tensor q, Tensor k, BackwardOptions options) {
    return operator.newGradients(q, k, options);
  }

  /**
   * Computes the gradients of a loss from that of y, with the default options.
   *
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param dY gradient of y [b, t, hq, 32], FP32
   * @return the gradients of q, k and v, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Gradients backward(Tensor q, Tensor k, Tensor v, Tensor dY) {
    return backward(q, k, v, dY, BackwardOptions.defaults());
  }

  /**
   * Computes the gradients of a loss from that of y.
   *
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param dY gradient of y [b, t, hq, 32], FP32
   * @param options scale, initial state and packed sequences of the forward call; form, gradient of
   *     the final state, what the forward call saved, and stream
   * @return the gradients of q, k and v and of the initial state if there is one, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Gradients backward(Tensor q, Tensor k, Tensor v, Tensor dY, BackwardOptions options) {
    return operator.backward(q, k, v, null, dY, options);
  }

  /**
   * Computes the gradients of a loss from that of y into given tensors.
   *
   * @param gradients where to; overlap no input
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param dY gradient of y [b, t, hq, 32], FP32
   * @param options scale, initial state and packed sequences of the forward call; form, gradient of
   *     the final state, what the forward call saved, and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public void backwardInto(
      Gradients gradients, Tensor q, Tensor k, Tensor v, Tensor dY, BackwardOptions options) {
    operator.backwardInto(gradients, q, k, v, null, dY, options);
  }

  /**
   * Computes the gradients of a loss from that of y over contiguous device memory of the caller's;
   * CUDA only. Copies nothing.
   *
   * @param q address of queries [b, t, hq, 32], FP32
   * @param k address of keys [b, t, h, 32], FP32; h divides hq
   * @param v address of values [b, t, h, 32], FP32
   * @param dY address of the gradient of y [b, t, hq, 32], FP32
   * @param dQ address of the gradient of q, like q; written
   * @param dK address of the gradient of k, like k; written
   * @param dV address of the gradient of v, like v; written
   * @param dInitialState gradient of the initial state, written; null exactly if the options have
   *     no initial state
   * @param batch sequences b
   * @param tokens tokens t of each; of packed sequences, those of all together
   * @param queryHeads query heads hq, a multiple of {@code keyHeads}
   * @param keyHeads key/value heads h
   * @param options scale, initial state and packed sequences of the forward call; form, gradient of
   *     the final state, what the forward call saved, and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   * @throws UnsupportedOperationException on the CPU
   */
  public void backward(
      long q,
      long k,
      long v,
      long dY,
      long dQ,
      long dK,
      long dV,
      @Nullable State dInitialState,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      BackwardOptions options) {
    operator.backward(
        q,
        k,
        v,
        0L,
        dY,
        dQ,
        dK,
        dV,
        0L,
        dInitialState,
        batch,
        tokens,
        queryHeads,
        keyHeads,
        options);
  }

  /**
   * Returns a state of zeros: that of sequences without a token so far.
   *
   * @param batch sequences b
   * @param keyHeads key/value heads h
   * @return the state, to be closed
   * @throws IllegalArgumentException if a size is not positive
   * @throws IllegalStateException if the launcher is closed
   */
  public State newState(int batch, int keyHeads) {
    return operator.newState(batch, keyHeads);
  }

  /**
   * Reads a state that {@link State#save} wrote, and nothing after it.
   *
   * @param source where from; it stays open
   * @return the state, to be closed
   * @throws IOException if the stream fails, or does not hold a whole state of this operator; the
   *     message says what it holds
   * @throws IllegalStateException if the launcher is closed
   */
  public State loadState(InputStream source) throws IOException {
    return operator.loadState(source);
  }

  /**
   * Reads a file that {@link State#save} wrote.
   *
   * @param file where from
   * @return the state, to be closed
   * @throws IOException if it cannot be read, or is not a state of this operator and nothing else;
   *     the message says what it holds
   * @throws IllegalStateException if the launcher is closed
   */
  public State loadState(Path file) throws IOException {
    return operator.loadState(file);
  }

  /**
   * Copies a state to this launcher's device.
   *
   * @param state a state of this operator on any device
   * @return the copy, to be closed
   * @throws IllegalArgumentException if the state is another operator's
   * @throws IllegalStateException if the launcher or the state is closed
   */
  public State copyOf(State state) {
    return state.copyTo(operator);
  }

  /**
   * Computes y of tokens that continue a state, which takes them in, with the default options.
   *
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @return y [b, t, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor prefill(State state, Tensor q, Tensor k, Tensor v) {
    return prefill(state, q, k, v, ServeOptions.defaults());
  }

  /**
   * Computes y of tokens that continue a state, which takes them in. However tokens are split into
   * calls, only rounding differs.
   *
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param options form, scale and stream
   * @return y [b, t, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor prefill(State state, Tensor q, Tensor k, Tensor v, ServeOptions options) {
    return operator.prefill(state, q, k, v, null, options);
  }

  /**
   * Computes y of tokens that continue a state, which takes them in, into a given tensor.
   *
   * @param y outputs [b, t, hq, 32], FP32; overlaps no input
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param options form, scale and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public void prefillInto(
      Tensor y, State state, Tensor q, Tensor k, Tensor v, ServeOptions options) {
    operator.prefillInto(y, state, q, k, v, null, options);
  }

  /**
   * Computes y of tokens that continue a state, which takes them in, over contiguous device memory
   * of the caller's; CUDA only. Copies nothing.
   *
   * @param state a state of this operator, of b sequences and h heads
   * @param q address of queries [b, t, hq, 32], FP32
   * @param k address of keys [b, t, h, 32], FP32; h divides hq
   * @param v address of values [b, t, h, 32], FP32
   * @param y address of outputs [b, t, hq, 32], FP32; overlaps no input
   * @param tokens tokens t of each sequence
   * @param queryHeads query heads hq
   * @param options form, scale and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   * @throws UnsupportedOperationException on the CPU
   */
  public void prefill(
      State state,
      long q,
      long k,
      long v,
      long y,
      int tokens,
      int queryHeads,
      ServeOptions options) {
    operator.prefill(state, q, k, v, 0L, y, tokens, queryHeads, options);
  }

  /**
   * Computes y of one more token of each sequence of a state, which takes them in, with the default
   * options.
   *
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, 1, hq, 32], FP32
   * @param k keys [b, 1, h, 32], FP32; h divides hq
   * @param v values [b, 1, h, 32], FP32
   * @return y [b, 1, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor decode(State state, Tensor q, Tensor k, Tensor v) {
    return decode(state, q, k, v, ServeOptions.defaults());
  }

  /**
   * Computes y of one more token of each sequence of a state, which takes them in. Takes the same
   * time and memory whatever came before.
   *
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, 1, hq, 32], FP32
   * @param k keys [b, 1, h, 32], FP32; h divides hq
   * @param v values [b, 1, h, 32], FP32
   * @param options scale and stream
   * @return y [b, 1, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor decode(State state, Tensor q, Tensor k, Tensor v, ServeOptions options) {
    return operator.decode(state, q, k, v, null, options);
  }

  /**
   * Computes y of one more token of each sequence of a state, which takes them in, into a given
   * tensor.
   *
   * @param y outputs [b, 1, hq, 32], FP32; overlaps no input
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, 1, hq, 32], FP32
   * @param k keys [b, 1, h, 32], FP32; h divides hq
   * @param v values [b, 1, h, 32], FP32
   * @param options scale and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public void decodeInto(
      Tensor y, State state, Tensor q, Tensor k, Tensor v, ServeOptions options) {
    operator.decodeInto(y, state, q, k, v, null, options);
  }

  /**
   * Computes y of one more token of each sequence of a state, which takes them in, over contiguous
   * device memory of the caller's; CUDA only. Copies nothing.
   *
   * @param state a state of this operator, of b sequences and h heads
   * @param q address of queries [b, 1, hq, 32], FP32
   * @param k address of keys [b, 1, h, 32], FP32; h divides hq
   * @param v address of values [b, 1, h, 32], FP32
   * @param y address of outputs [b, 1, hq, 32], FP32; overlaps no input
   * @param queryHeads query heads hq
   * @param options scale and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   * @throws UnsupportedOperationException on the CPU
   */
  public void decode(
      State state, long q, long k, long v, long y, int queryHeads, ServeOptions options) {
    operator.decode(state, q, k, v, 0L, y, queryHeads, options);
  }

  /**
   * Records a call of decode, with the default options, without making it.
   *
   * @param y outputs [b, 1, hq, 32], FP32; overlaps no input
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, 1, hq, 32], FP32
   * @param k keys [b, 1, h, 32], FP32; h divides hq
   * @param v values [b, 1, h, 32], FP32
   * @return the record, to be closed before its tensors and the state
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public DecodeStep captureDecode(Tensor y, State state, Tensor q, Tensor k, Tensor v) {
    return captureDecode(y, state, q, k, v, ServeOptions.defaults());
  }

  /**
   * Records a call of decode without making it. Each launch of the record is such a call, on what
   * the tensors hold then; on CUDA, it is a graph.
   *
   * @param y outputs [b, 1, hq, 32], FP32; overlaps no input
   * @param state a state of this operator, of b sequences and h heads
   * @param q queries [b, 1, hq, 32], FP32
   * @param k keys [b, 1, h, 32], FP32; h divides hq
   * @param v values [b, 1, h, 32], FP32
   * @param options scale and stream
   * @return the record, to be closed before its tensors and the state
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public DecodeStep captureDecode(
      Tensor y, State state, Tensor q, Tensor k, Tensor v, ServeOptions options) {
    return operator.captureDecode(y, state, q, k, v, null, options);
  }

  /**
   * Returns what this launcher delegates to, for code that works with any launcher. Closing one
   * closes the other.
   *
   * @return the operator, whose methods take null for log gates where there are none
   */
  public PowerAttentionOperator operator() {
    return operator;
  }

  /** Unloads the operator. Closing again does nothing. */
  @Override
  public void close() {
    operator.close();
  }
}
