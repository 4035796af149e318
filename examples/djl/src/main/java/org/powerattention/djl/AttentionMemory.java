package org.powerattention.djl;

import java.util.IdentityHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.PowerAttentionOperator;
import org.powerattention.runtime.State;

/**
 * What a model's {@link PowerAttentionBlock}s remember of the tokens so far, of a size that does
 * not grow. Within {@link #read}, each of them continues from its state, which takes the new tokens
 * in; a single token takes constant time.
 *
 * <pre>{@code
 * try (AttentionMemory memory = new AttentionMemory()) {
 *   NDList logits = memory.read(() -> block.forward(parameters, prompt, false));
 *   while (...) {
 *     logits = memory.read(() -> block.forward(parameters, nextToken, false));
 *   }
 * }
 * }</pre>
 *
 * <p>For one model, one batch of sequences and one thread at a time.
 */
public final class AttentionMemory implements AutoCloseable {
  private static final ThreadLocal<@Nullable AttentionMemory> CURRENT = new ThreadLocal<>();

  private final IdentityHashMap<PowerAttentionBlock, Remembered> states = new IdentityHashMap<>();

  /** Whether some layers have taken tokens in that others have not. */
  private boolean torn;

  private boolean closed;

  /** Creates an empty memory. */
  public AttentionMemory() {}

  /**
   * Runs a model on the tokens that follow those read before.
   *
   * @param forward calls the model in inference mode, on this thread
   * @return what it returns
   * @throws IllegalStateException if this is closed, or a model threw when some of its layers had
   *     read tokens and others had not; {@link #reset} it then
   */
  public <T> T read(Supplier<T> forward) {
    if (closed) {
      throw new IllegalStateException("this AttentionMemory is closed");
    }
    if (torn) {
      throw new IllegalStateException(
          "a model failed in the middle of what it read, so that its layers remember different"
              + " tokens; reset this AttentionMemory and read from the beginning");
    }
    AttentionMemory outer = CURRENT.get();
    CURRENT.set(this);
    long before = tokensOfAllLayers();
    boolean done = false;
    try {
      T result = forward.get();
      done = true;
      return result;
    } finally {
      torn = !done && tokensOfAllLayers() != before;
      CURRENT.set(outer);
    }
  }

  private long tokensOfAllLayers() {
    return states.values().stream().mapToLong(Remembered::tokens).sum();
  }

  /** Forgets everything. */
  public void reset() {
    states.values().forEach(Remembered::reset);
    torn = false;
  }

  /** Returns the bytes that the states take, of all layers and sequences. */
  public long bytes() {
    return states.values().stream().mapToLong(remembered -> remembered.state.bytes()).sum();
  }

  /** Frees the states. */
  @Override
  public void close() {
    closed = true;
    states.values().forEach(remembered -> remembered.state.close());
    states.clear();
  }

  /** Returns the memory within whose {@link #read} this thread is, or null. */
  static @Nullable AttentionMemory current() {
    return CURRENT.get();
  }

  /** Returns what a block remembers, nothing at first. */
  Remembered of(
      PowerAttentionBlock block, PowerAttentionOperator operator, int batch, int keyHeads) {
    Remembered remembered =
        states.computeIfAbsent(block, any -> new Remembered(operator.newState(batch, keyHeads)));
    if (remembered.state.batch() != batch) {
      throw new IllegalArgumentException(
          "input of "
              + batch
              + " sequences; this memory holds "
              + remembered.state.batch()
              + ". Go on with as many, or use a new AttentionMemory");
    }
    return remembered;
  }

  /** A layer's state, and how many tokens of each sequence it has taken in. */
  static final class Remembered {
    private final State state;
    private long tokens;

    Remembered(State state) {
      this.state = state;
    }

    State state() {
      return state;
    }

    long tokens() {
      return tokens;
    }

    void add(int newTokens) {
      tokens += newTokens;
    }

    private void reset() {
      state.reset();
      tokens = 0;
    }
  }
}
