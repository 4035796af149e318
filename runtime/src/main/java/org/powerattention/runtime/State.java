package org.powerattention.runtime;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.StateView;

/**
 * What an operator remembers of the tokens so far, of a size that does not depend on their number:
 * {@code S = sum_j exp(G - G_j) phi(k_j) v_j^T} and, if the operator is normalised, {@code z =
 * sum_j exp(G - G_j) phi(k_j)} with G the sum of all log gates so far. A new state is zero.
 *
 * <p>All in fp32, with the features in the order of {@link
 * org.powerattention.annotations.FeatureMap} and without their multiplicities. While a state
 * serves, the latest {@link KernelSpec#windowTokens} tokens at most wait beside the sums in a
 * <em>window</em> of keys and values, which the first prefill or decode call makes; a forward call,
 * {@link #sums} and {@link #keySums} first take them into the sums.
 *
 * <p>Sequences of a batch are independent: each can be reset, or replaced by one of another state,
 * while the others go on. The methods run on the default stream and have finished when they return,
 * unless they say otherwise. Prefill, decode, and the first forward call after those write the
 * state; calls that write it must be ordered with all others by their caller.
 */
public final class State implements AutoCloseable {
  private final PowerAttentionOperator operator;
  private final int batch;
  private final int keyHeads;
  private final Tensor sums;
  private final @Nullable Tensor keySums;
  private volatile @Nullable ServingMemory serving;

  /** Whether windows may hold tokens; the device alone knows how many. */
  private volatile boolean windowInUse;

  State(
      PowerAttentionOperator operator,
      int batch,
      int keyHeads,
      Tensor sums,
      @Nullable Tensor keySums) {
    this.operator = operator;
    this.batch = batch;
    this.keyHeads = keyHeads;
    this.sums = sums;
    this.keySums = keySums;
  }

  /** Returns the spec of the operator that made it. */
  public KernelSpec spec() {
    return operator.spec();
  }

  /** Returns the accelerator that it belongs to. */
  public Accelerator accelerator() {
    return operator.accelerator();
  }

  /** Returns the number of sequences b. */
  public int batch() {
    return batch;
  }

  /** Returns the number of key/value heads h. */
  public int keyHeads() {
    return keyHeads;
  }

  /**
   * Returns S [b, h, D, d], fp32, of all tokens so far. The tensor lives as long as this state; it
   * is complete until the next prefill or decode call, after which it has to be asked for again.
   *
   * @throws IllegalStateException if tokens wait in the window and the operator is closed
   */
  public Tensor sums() {
    checkFoldable("state");
    foldWindow(0);
    return sums;
  }

  /**
   * Returns z [b, h, D], fp32, of all tokens so far, as {@link #sums} does; empty if the operator
   * is not normalised.
   *
   * @throws IllegalStateException if tokens wait in the window and the operator is closed
   */
  public Optional<Tensor> keySums() {
    checkFoldable("state");
    foldWindow(0);
    return Optional.ofNullable(keySums);
  }

  /** Returns the bytes of device memory that it takes, those of the window included. */
  public long bytes() {
    ServingMemory memory = serving;
    return (long) batch * keyHeads * spec().stateBytes() + (memory == null ? 0 : memory.bytes());
  }

  /** Forgets every token: sets all numbers to zero. */
  public void reset() {
    States.clear(this);
    windowInUse = false;
  }

  /**
   * Forgets every token of one sequence; the others stay as they are.
   *
   * @param sequence its index, less than the batch
   * @throws IllegalArgumentException if there is no such sequence
   */
  public void reset(int sequence) {
    checkSequence("sequence", sequence, batch);
    States.clear(this, sequence);
  }

  /**
   * Puts one sequence of a state in the place of one of this state's, on the device.
   *
   * @param sequence index in this state of the sequence to replace
   * @param other a state of the same accelerator, spec and number of key/value heads; it may be
   *     this one
   * @param otherSequence index in the other state of the sequence to copy
   * @throws IllegalArgumentException if there is no such sequence, or the other state does not fit
   */
  public void replace(int sequence, State other, int otherSequence) {
    Objects.requireNonNull(other, "other");
    checkSequence("sequence", sequence, batch);
    checkSequence("otherSequence", otherSequence, other.batch);
    checkLike(other);
    States.copySequence(this, sequence, other, otherSequence);
  }

  private void checkLike(State other) {
    String difference = StateChecks.difference(other.spec(), spec());
    if (other.accelerator() != accelerator()
        || other.keyHeads != keyHeads
        || !difference.isEmpty()) {
      throw new IllegalArgumentException(
          "other is a state on "
              + other.accelerator().name()
              + " with "
              + other.keyHeads
              + " key/value heads"
              + (difference.isEmpty() ? "" : ": " + difference)
              + "; needed: one on "
              + accelerator().name()
              + " with "
              + keyHeads
              + " key/value heads, of the same spec");
    }
  }

  /** Returns a copy, of the same operator. */
  public State copy() {
    return copyTo(operator);
  }

  /**
   * Returns a copy that belongs to another operator, which may be on another device.
   *
   * @param target an operator whose spec is the same, up to a chunk with the same window
   * @throws IllegalArgumentException if it is not; the message says in what
   */
  public State copyTo(PowerAttentionOperator target) {
    checkOpen();
    target.checkOpen();
    String difference = StateChecks.difference(spec(), target.spec());
    if (!difference.isEmpty()) {
      throw new IllegalArgumentException("the state does not fit the operator: " + difference);
    }
    return States.copy(this, target);
  }

  /**
   * Writes it to a stream, for {@link PowerAttentionOperator#loadState(java.io.InputStream)}: the
   * spec and the sizes, then all numbers little-endian, then a checksum. The stream stays open.
   *
   * @throws IOException if the stream fails
   */
  public void save(OutputStream target) throws IOException {
    StateFile.save(this, target);
  }

  /**
   * Writes it to a file, replacing one that exists: readers find the old one or the whole new one.
   *
   * @throws IOException if the file cannot be written; one that existed is then as before
   */
  public void save(Path file) throws IOException {
    StateFile.save(this, file);
  }

  /** Frees the memory. */
  @Override
  public void close() {
    sums.close();
    if (keySums != null) {
      keySums.close();
    }
    ServingMemory memory = serving;
    if (memory != null) {
      memory.close();
    }
  }

  /** Returns the sizes and place in words. */
  @Override
  public String toString() {
    return "state of " + batch + " x " + keyHeads + " heads on " + accelerator().name();
  }

  void checkOpen() {
    sums.memory();
  }

  /** Checks that {@link #foldWindow} can be called, if need be. */
  void checkFoldable(String name) {
    checkOpen();
    if (windowInUse && !operator.isOpen()) {
      throw new IllegalStateException(
          name
              + " holds tokens in its window, and the operator that can take them into the sums is"
              + " closed: close it later, or copyTo an open one");
    }
  }

  /** Returns whether tokens may wait in the window. */
  boolean holdsWindow() {
    return windowInUse;
  }

  /** Says that tokens may wait in the window from now on. */
  void markWindow() {
    windowInUse = true;
  }

  /** Takes the tokens of the window into the sums, if there may be any. */
  synchronized void foldWindow(long stream) {
    if (windowInUse) {
      operator.program().foldWindow(servingView(), batch, keyHeads, stream);
      windowInUse = false;
    }
  }

  /** Returns whether there is memory for serving yet. */
  boolean hasWindowMemory() {
    return serving != null;
  }

  /** Returns the memory for serving, making it if there is none yet. */
  synchronized ServingMemory serving() {
    checkOpen();
    ServingMemory memory = serving;
    if (memory == null) {
      memory = ServingMemory.allocate(accelerator(), spec(), batch, keyHeads);
      serving = memory;
    }
    return memory;
  }

  /** Returns S without what waits in the window. */
  Tensor sumsAsTheyAre() {
    return sums;
  }

  /** Returns z without what waits in the window. */
  @Nullable Tensor keySumsAsTheyAre() {
    return keySums;
  }

  /** Returns the sums as a backend sees them; the window is empty or of no interest. */
  StateView sumsView() {
    return new StateView(sums.memory(), keySums == null ? null : keySums.memory(), null);
  }

  /** Returns the whole state as a backend sees it. */
  StateView servingView() {
    return new StateView(
        sums.memory(), keySums == null ? null : keySums.memory(), serving().view());
  }

  /** Returns the blocks of the sums, each with one part per sequence. */
  List<Memory> sumBlocks() {
    List<Memory> blocks = new ArrayList<>();
    blocks.add(sums.memory());
    if (keySums != null) {
      blocks.add(keySums.memory());
    }
    return blocks;
  }

  private static void checkSequence(String name, int sequence, int batch) {
    if (sequence < 0 || sequence >= batch) {
      throw new IllegalArgumentException(
          name + " = " + sequence + "; allowed: 0 to " + (batch - 1));
    }
  }
}
