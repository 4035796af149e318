package org.powerattention.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.events.Nvtx;
import org.powerattention.runtime.events.Ranges;
import org.powerattention.runtime.spi.LoadedProgram;

/**
 * A declaration's program on an accelerator; what a generated launcher delegates to.
 *
 * <p>Shapes, with b sequences of t tokens, hq query heads, h key/value heads that divide hq, and
 * head size d: {@code q, y [b, t, hq, d]} and {@code k, v [b, t, h, d]} in the spec's dtype with
 * the last dimension contiguous; {@code logG [b, t, h]} in fp32, each value at most 0. All other
 * strides are free; those of inputs may be 0. A gradient has the shape and dtype of what it is the
 * gradient of. {@linkplain PackedSequences Packed sequences} have no batch dimension: {@code q
 * [total, hq, d]} and so on. Sums are kept in fp32.
 *
 * <p>Everywhere, {@code logG} is null exactly if the spec is not gated, or 0 where an address is
 * given. Calls check every argument before anything is allocated or launched; one that does not fit
 * is an {@link IllegalArgumentException}, and nothing has happened then. A device that fails is a
 * {@link DeviceException}. Calls are asynchronous on CUDA: host copies of the results wait for
 * them. Calls over device addresses take contiguous arrays, copy nothing, and are an {@link
 * UnsupportedOperationException} on the CPU.
 *
 * <p>Safe for many threads, as long as calls that write the same tensors or states are ordered by
 * their caller.
 */
public final class PowerAttentionOperator implements AutoCloseable {
  private final Accelerator accelerator;
  private final KernelSpec spec;
  private final LoadedProgram program;
  private final Lifetime lifetime;
  private final ForwardCalls forward;
  private final BackwardCalls backward;
  private final ServingCalls serving;
  private final Tuner tuner;

  private PowerAttentionOperator(
      Accelerator accelerator,
      String name,
      KernelSpec spec,
      LoadedProgram program,
      Duration tuning,
      LongSupplier clock) {
    this.accelerator = accelerator;
    this.spec = spec;
    this.program = program;
    this.lifetime = accelerator.hold(this, "operator " + name, true, program::close);
    this.forward = new ForwardCalls(this);
    this.backward = new BackwardCalls(this);
    this.serving = new ServingCalls(this);
    this.tuner = new Tuner(this, Boolean.getBoolean(Tuner.PROPERTY), tuning, clock);
  }

  /**
   * Loads a program, compiling it first if this machine has not yet.
   *
   * @throws PowerAttentionException if it cannot be compiled or loaded; the message says why
   */
  public static PowerAttentionOperator load(Accelerator accelerator, KernelProgram program) {
    return load(accelerator, program, Nvtx.ofProcess(), System::nanoTime);
  }

  static PowerAttentionOperator load(
      Accelerator accelerator, KernelProgram program, @Nullable Ranges ranges, LongSupplier clock) {
    accelerator.checkOpen();
    Duration tuning = Tuner.limit(System.getProperty(Tuner.SECONDS_PROPERTY));
    LoadedProgram loaded =
        new RecordedProgram(
            accelerator.backend().load(program), program.name(), accelerator.name());
    if (ranges != null) {
      loaded = new RangedProgram(loaded, ranges, program.name());
    }
    return new PowerAttentionOperator(
        accelerator, program.name(), program.spec(), loaded, tuning, clock);
  }

  /** Returns what was declared. */
  public KernelSpec spec() {
    return spec;
  }

  /** Returns the accelerator that it runs on. */
  public Accelerator accelerator() {
    return accelerator;
  }

  /** Computes {@code y} into a new contiguous tensor. */
  public Tensor forward(
      Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, ForwardOptions options) {
    return forward.call(new Inputs(q, k, v, logG), options);
  }

  /**
   * Computes {@code y} into a given tensor.
   *
   * @param y where to; it must not overlap an input or a state, or repeat elements
   */
  public void forwardInto(
      Tensor y, Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, ForwardOptions options) {
    forward.callInto(y, new Inputs(q, k, v, logG), options);
  }

  /**
   * Computes {@code y} over device memory that the caller owns.
   *
   * @param batch number of sequences, packed or not
   * @param tokens tokens per sequence; of packed sequences, those of all together
   */
  public void forward(
      long q,
      long k,
      long v,
      long logG,
      long y,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      ForwardOptions options) {
    forward.callRaw(q, k, v, logG, y, batch, tokens, queryHeads, keyHeads, options);
  }

  /**
   * Measures how calls of a shape are fastest on this device, and carries them out so from then on:
   * which form {@link Form#AUTOMATIC} takes, and on CUDA into how many segments sequences are cut.
   * It runs forward calls on tensors of its own for up to two seconds, or as many as the system
   * property {@code powerattention.tune.seconds} says, and logs what it does. On CUDA what was
   * measured is kept beside compiled kernels, and later processes find it there.
   *
   * <p>With {@code -Dpowerattention.tune=true} the first forward call of each shape of at least
   * 1,024 tokens that leaves its form open does this by itself. Another number of segments changes
   * results by rounding errors.
   *
   * @param batch number of sequences, not packed
   * @param tokens tokens per sequence
   * @throws IllegalArgumentException if a size is out of its range
   */
  public Tuning tune(int batch, int tokens, int queryHeads, int keyHeads) {
    checkOpen();
    return tuner.tune(new CallSizes(batch, tokens, queryHeads, keyHeads, null).shape());
  }

  /**
   * Returns a place for what a forward call keeps for the backward call.
   *
   * @param batch number of sequences; 1 for packed sequences
   * @param tokens tokens per sequence; of packed sequences, those of all together
   */
  public SavedForward newSavedForward(int batch, int tokens, int queryHeads) {
    return backward.newSaved(batch, tokens, queryHeads);
  }

  /**
   * Returns tensors, of undefined content, for the gradients of a call.
   *
   * @param q queries of the call, for their shape
   * @param k keys of the call, for their shape
   * @param options options of the call: whether sequences are packed, and whether there is an
   *     initial state
   */
  public Gradients newGradients(Tensor q, Tensor k, BackwardOptions options) {
    return backward.newGradients(q, k, options);
  }

  /**
   * Computes the gradients of a loss with respect to the inputs of a forward call.
   *
   * @param dY gradient of the loss with respect to {@code y}
   */
  public Gradients backward(
      Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, Tensor dY, BackwardOptions options) {
    return backward.call(new Inputs(q, k, v, logG), dY, options);
  }

  /**
   * Computes gradients into given tensors.
   *
   * @param gradients where to; they must not overlap an input or each other, or repeat elements
   * @param dY gradient of the loss with respect to {@code y}
   */
  public void backwardInto(
      Gradients gradients,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      Tensor dY,
      BackwardOptions options) {
    backward.callInto(gradients, new Inputs(q, k, v, logG), dY, options);
  }

  /**
   * Computes gradients over device memory that the caller owns.
   *
   * @param dLogG 0 exactly if the spec is not gated
   * @param dInitialState where to write the gradient of the initial state; null exactly if the
   *     options have no initial state
   * @param batch number of sequences, packed or not
   * @param tokens tokens per sequence; of packed sequences, those of all together
   */
  public void backward(
      long q,
      long k,
      long v,
      long logG,
      long dY,
      long dQ,
      long dK,
      long dV,
      long dLogG,
      @Nullable State dInitialState,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      BackwardOptions options) {
    checkOpen();
    accelerator.checkCuda("backward over device addresses");
    backward.callRaw(
        new BackwardCalls.Addresses(q, k, v, logG, dY, dQ, dK, dV, dLogG),
        dInitialState,
        CallSizes.ofRaw(batch, tokens, queryHeads, keyHeads, options.packed()),
        options);
  }

  /**
   * Returns a new state of zeros for calls with that batch and number of key/value heads.
   *
   * @throws IllegalArgumentException if either is less than 1, or their product too large
   */
  public State newState(int batch, int keyHeads) {
    return serving.newState(batch, keyHeads);
  }

  /**
   * Reads one state that {@link State#save(java.io.OutputStream)} wrote, and nothing after it.
   *
   * @throws StateFormatException if there is no such state, it is damaged, of a newer version, or
   *     of an operator whose spec differs; the message says which
   * @throws IOException if the stream fails
   */
  public State loadState(InputStream source) throws IOException {
    return StateFile.load(this, source);
  }

  /**
   * Reads a file that {@link State#save(Path)} wrote.
   *
   * @throws StateFormatException as {@link #loadState(InputStream)}, and if the file goes on after
   *     the state
   * @throws IOException if the file cannot be read
   */
  public State loadState(Path file) throws IOException {
    return StateFile.load(this, file);
  }

  /**
   * Computes the outputs of tokens that continue a state, which takes them in, into a new
   * contiguous tensor. However tokens are split into calls, the results agree up to rounding.
   *
   * @param state the state, with the batch and key/value heads of the call
   */
  public Tensor prefill(
      State state, Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, ServeOptions options) {
    return serving.prefill(state, new Inputs(q, k, v, logG), options);
  }

  /**
   * Does as {@link #prefill(State, Tensor, Tensor, Tensor, Tensor, ServeOptions)}, into a given
   * tensor.
   *
   * @param y where to; it must not overlap an input or the state, or repeat elements
   */
  public void prefillInto(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ServeOptions options) {
    serving.prefillInto(y, state, new Inputs(q, k, v, logG), options);
  }

  /**
   * Does as {@link #prefill(State, Tensor, Tensor, Tensor, Tensor, ServeOptions)}, over device
   * memory that the caller owns.
   */
  public void prefill(
      State state,
      long q,
      long k,
      long v,
      long logG,
      long y,
      int tokens,
      int queryHeads,
      ServeOptions options) {
    serving.raw(
        state,
        q,
        k,
        v,
        logG,
        y,
        tokens,
        queryHeads,
        (result, inputs) -> serving.prefillInto(result, state, inputs, options));
  }

  /**
   * Computes the output of one more token of each sequence (t = 1), which the state takes in, into
   * a new contiguous tensor. Takes the same time and memory whatever came before.
   *
   * @param state the state, with the batch and key/value heads of the call
   */
  public Tensor decode(
      State state, Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, ServeOptions options) {
    return serving.decode(state, new Inputs(q, k, v, logG), options);
  }

  /**
   * Does as {@link #decode(State, Tensor, Tensor, Tensor, Tensor, ServeOptions)}, into a given
   * tensor.
   *
   * @param y where to; it must not overlap an input or the state, or repeat elements
   */
  public void decodeInto(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ServeOptions options) {
    serving.decodeInto(y, state, new Inputs(q, k, v, logG), options);
  }

  /**
   * Does as {@link #decode(State, Tensor, Tensor, Tensor, Tensor, ServeOptions)}, over device
   * memory that the caller owns.
   */
  public void decode(
      State state,
      long q,
      long k,
      long v,
      long logG,
      long y,
      int queryHeads,
      ServeOptions options) {
    serving.raw(
        state,
        q,
        k,
        v,
        logG,
        y,
        1,
        queryHeads,
        (result, inputs) -> serving.decodeInto(result, state, inputs, options));
  }

  /**
   * Records a decode call without carrying it out, to be repeated for each token: a CUDA graph, or
   * on the CPU the call itself. Every launch reads the inputs that the tensors hold then.
   *
   * @param y where to; it must not overlap an input or the state, or repeat elements
   */
  public DecodeStep captureDecode(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ServeOptions options) {
    return serving.captureDecode(y, state, new Inputs(q, k, v, logG), options);
  }

  /** Unloads the program. Closing again does nothing. */
  @Override
  public void close() {
    lifetime.close();
  }

  void checkOpen() {
    lifetime.checkOpen();
  }

  boolean isOpen() {
    return lifetime.isOpen();
  }

  /** Returns the program, which has not been closed. */
  LoadedProgram program() {
    lifetime.checkOpen();
    return program;
  }

  /** Returns what knows which form a call takes. */
  Tuner tuner() {
    return tuner;
  }
}
