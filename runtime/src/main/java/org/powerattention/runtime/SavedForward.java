package org.powerattention.runtime;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.SavedView;

/**
 * What a forward call keeps for the backward call, so that that need not compute it again:
 *
 * <ul>
 *   <li>of a normalised operator, the outputs before they are rounded [tokens, hq, d] and the sum
 *       of each output's weights [tokens, hq], all in fp32;
 *   <li>on a CUDA device, of a call of degree 1 or 2 in chunked form, the state at each chunk's
 *       start, in 16 bits in BF16 and else in 32, unless {@link ForwardOptions#saveOutputs} leaves
 *       them out. Memory for these is taken by the first call that keeps them, and kept.
 * </ul>
 *
 * <p>The backward call reads it along with the forward call's inputs, which it does not hold. It
 * can be used again for each forward call with the same number of tokens and query heads, which
 * replaces what it held.
 */
public final class SavedForward implements AutoCloseable {
  /** The forward call that filled it: its sizes in words, and where packed sequences lay. */
  @SuppressWarnings("ArrayRecordComponent") // never compared as a whole
  private record Filled(
      String sizes,
      int @Nullable [] offsets,
      boolean initialState,
      boolean chunked,
      boolean states) {
    static Filled by(CallSizes sizes, boolean initialState, boolean chunked, boolean states) {
      return new Filled(describe(sizes), offsets(sizes), initialState, chunked, states);
    }

    static int @Nullable [] offsets(CallSizes sizes) {
      PackedSequences packed = sizes.packed();
      return packed == null ? null : packed.offsets();
    }

    static String describe(CallSizes sizes) {
      String sequences =
          sizes.packed() == null
              ? "batch " + sizes.batch() + ", tokens " + sizes.tokens()
              : sizes.packed().toString();
      return sequences
          + ", query heads "
          + sizes.queryHeads()
          + ", key/value heads "
          + sizes.keyHeads();
    }
  }

  private final Accelerator accelerator;
  private final KernelSpec spec;
  private final long rows;
  private final int queryHeads;
  private final Lifetime lifetime;
  private final @Nullable Tensor outputs;
  private final @Nullable Tensor weightSums;
  private volatile @Nullable Tensor states;
  private volatile @Nullable Filled filled;

  private SavedForward(
      PowerAttentionOperator operator,
      long rows,
      int queryHeads,
      @Nullable Tensor outputs,
      @Nullable Tensor weightSums) {
    this.accelerator = operator.accelerator();
    this.spec = operator.spec();
    this.rows = rows;
    this.queryHeads = queryHeads;
    this.outputs = outputs;
    this.weightSums = weightSums;
    // The tensors free and report themselves.
    this.lifetime = accelerator.hold(this, "saved forward call", false, () -> {});
  }

  static SavedForward allocate(PowerAttentionOperator operator, long rows, int queryHeads) {
    KernelSpec spec = operator.spec();
    if (!spec.normalized()) {
      return new SavedForward(operator, rows, queryHeads, null, null);
    }
    Accelerator accelerator = operator.accelerator();
    try (Allocations made = new Allocations()) {
      Layout outputs = Layout.contiguous(rows, queryHeads, spec.headDim());
      Layout sums = Layout.contiguous(rows, queryHeads);
      SavedForward saved =
          new SavedForward(
              operator,
              rows,
              queryHeads,
              made.add(accelerator.allocateFor(null, DType.FP32, outputs)),
              made.add(accelerator.allocateFor(null, DType.FP32, sums)));
      made.keep();
      return saved;
    }
  }

  /** Returns the accelerator that it belongs to. */
  public Accelerator accelerator() {
    return accelerator;
  }

  /**
   * Returns the bytes of device memory that it takes: of the outputs and their sums of weights, and
   * once a call has kept them, of the states. These are, for each chunk and key/value head, {@code
   * D d} numbers of two bytes, and of a normalised operator {@code 8 D} more and {@code D} of four.
   */
  public long bytes() {
    Tensor kept = states;
    return (outputs == null ? 0 : rows * queryHeads * (spec.headDim() + 1L) * Float.BYTES)
        + (kept == null ? 0 : kept.elements() * Float.BYTES);
  }

  /** Frees the memory. */
  @Override
  public void close() {
    lifetime.close();
    if (outputs != null) {
      outputs.close();
    }
    if (weightSums != null) {
      weightSums.close();
    }
    Tensor kept = states;
    if (kept != null) {
      kept.close();
    }
  }

  /** Returns what it holds in words. */
  @Override
  public String toString() {
    Filled by = filled;
    return "saved forward call of "
        + rows
        + " tokens, "
        + queryHeads
        + " query heads"
        + (by == null ? ", not filled yet" : "");
  }

  /** Checks that a forward call can fill it. */
  void checkFits(PowerAttentionOperator operator, CallSizes sizes) {
    lifetime.checkOpen();
    KernelSpec needed = operator.spec();
    if (!spec.equals(needed)) {
      throw new IllegalArgumentException(
          "saved was made for " + spec + "; needed: one of this operator's, for " + needed);
    }
    if (rows != sizes.rows() || queryHeads != sizes.queryHeads()) {
      throw new IllegalArgumentException(
          this
              + " given as saved; needed: "
              + sizes.rows()
              + " tokens, "
              + sizes.queryHeads()
              + " query heads");
    }
  }

  /** Checks that a forward call that a backward call can belong to has filled it. */
  void checkFilled(PowerAttentionOperator operator, CallSizes sizes, boolean initialState) {
    checkFits(operator, sizes);
    Filled by = filled;
    if (by == null) {
      throw new IllegalArgumentException(
          this + " given as saved; run forward with ForwardOptions.save(...) first");
    }
    String needed = Filled.describe(sizes);
    int[] offsets = Filled.offsets(sizes);
    if (!by.sizes.equals(needed) || !Arrays.equals(by.offsets, offsets)) {
      throw new IllegalArgumentException(
          "saved was filled by a forward call of "
              + by.sizes
              + "; this backward call is of "
              + needed
              + (offsets == null ? "" : "; the offsets have to be the same too"));
    }
    if (by.initialState != initialState) {
      throw new IllegalArgumentException(
          "saved was filled by a forward call "
              + (by.initialState ? "with" : "without")
              + " an initial state; this backward call is one "
              + (initialState ? "with" : "without"));
    }
  }

  /**
   * Says that what it held is being replaced, and returns the memory that a forward call fills, or
   * null if it keeps nothing.
   *
   * @param stateBytes bytes of the states that the call keeps, or 0
   * @param stream the call's stream, or null for the default stream
   */
  @Nullable SavedView empty(long stateBytes, @Nullable Stream stream) {
    filled = null;
    Tensor kept = states;
    if (stateBytes > 0 && (kept == null || kept.elements() * Float.BYTES < stateBytes)) {
      if (kept != null) {
        states = null;
        kept.close();
      }
      Layout layout = Layout.contiguous((stateBytes + Float.BYTES - 1) / Float.BYTES);
      kept = accelerator.allocateFor(stream, DType.FP32, layout);
      states = kept;
    }
    return view(stateBytes > 0 ? kept : null);
  }

  /** Says that a forward call has filled it. */
  void markFilled(CallSizes sizes, boolean initialState, boolean chunked, boolean keptStates) {
    filled = Filled.by(sizes, initialState, chunked, keptStates);
  }

  /**
   * Returns what a backward call can read, or null if that is nothing. States are those of the
   * form's chunks.
   */
  @Nullable SavedView view(boolean chunked) {
    Filled by = filled;
    return view(by != null && by.states && by.chunked == chunked ? states : null);
  }

  private @Nullable SavedView view(@Nullable Tensor kept) {
    if (outputs == null && kept == null) {
      return null;
    }
    return new SavedView(
        outputs == null ? null : outputs.memory(),
        weightSums == null ? null : weightSums.memory(),
        kept == null ? null : kept.memory());
  }
}
