package org.powerattention.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.powerattention.runtime.spi.PackedView;

/**
 * Where sequences of different lengths lie that are packed one after another along the token
 * dimension, as {@code q [total, hq, d]}, {@code k, v [total, h, d]} and {@code logG [total, h]}.
 * Neither attention nor a state crosses from one sequence to the next; states of such a call have
 * one entry per sequence.
 *
 * <p>The offsets are what other attention kernels call <em>cumulative sequence lengths</em>. They
 * are copied to the device once and can be used for any number of calls.
 */
public final class PackedSequences implements AutoCloseable {
  private final int[] offsets;
  private final int longest;
  private final Storage table;

  private PackedSequences(int[] offsets, int longest, Storage table) {
    this.offsets = offsets;
    this.longest = longest;
    this.table = table;
  }

  /**
   * Returns the sequences that begin at some offsets.
   *
   * @param offsets first token of each sequence, from 0 on, and at the end the number of all
   *     tokens; a sequence may be empty
   * @throws IllegalArgumentException if they do not start at 0, decrease, or hold no token
   */
  public static PackedSequences of(Accelerator accelerator, int... offsets) {
    accelerator.checkOpen();
    int[] own = offsets.clone();
    int longest = longest(own);
    Storage table =
        new Storage(
            accelerator,
            accelerator.backend().allocate((long) own.length * Long.BYTES),
            true,
            "packed sequences");
    try {
      ByteBuffer bytes =
          ByteBuffer.allocateDirect(own.length * Long.BYTES).order(ByteOrder.nativeOrder());
      for (int offset : own) {
        bytes.putLong(offset);
      }
      table.memory().write(0, bytes.flip());
    } catch (RuntimeException | Error e) {
      table.close();
      throw e;
    }
    return new PackedSequences(own, longest, table);
  }

  private static int longest(int[] offsets) {
    if (offsets.length < 2 || offsets[0] != 0) {
      throw refused(offsets, "give 0, where the first sequence starts, and the end of each one");
    }
    int longest = 0;
    for (int n = 1; n < offsets.length; n++) {
      if (offsets[n] < offsets[n - 1]) {
        throw refused(
            offsets, "offset " + n + " is less than the one before it, but sequences lie in order");
      }
      longest = Math.max(longest, offsets[n] - offsets[n - 1]);
    }
    if (longest == 0) {
      throw refused(offsets, "all sequences are empty; there has to be a token");
    }
    return longest;
  }

  private static IllegalArgumentException refused(int[] offsets, String why) {
    String given =
        offsets.length <= 16
            ? Arrays.toString(offsets)
            : Arrays.toString(Arrays.copyOf(offsets, 16))
                + " and "
                + (offsets.length - 16)
                + " more";
    return new IllegalArgumentException("offsets = " + given + ": " + why);
  }

  /** Returns the accelerator that it belongs to. */
  public Accelerator accelerator() {
    return table.accelerator();
  }

  /** Returns the number of sequences. */
  public int count() {
    return offsets.length - 1;
  }

  /** Returns the number of tokens of all sequences together. */
  public int tokens() {
    return offsets[offsets.length - 1];
  }

  /** Returns the number of tokens of the longest sequence. */
  public int longest() {
    return longest;
  }

  /** Returns the first token of each sequence, and at the end the number of all tokens. */
  public int[] offsets() {
    return offsets.clone();
  }

  /** Frees the offsets on the device. */
  @Override
  public void close() {
    table.close();
  }

  /** Returns the counts in words. */
  @Override
  public String toString() {
    return count() + " packed sequences of " + tokens() + " tokens";
  }

  PackedView view() {
    return new PackedView(offsets, table.memory());
  }
}
