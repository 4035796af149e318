package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;

/**
 * Writes the struct that is the parameter of a kernel, field by field, eight bytes each; what is
 * null becomes zeros.
 */
final class ArgumentWriter {
  private static final int MOST_FIELDS = 128;

  private final ByteBuffer buffer;

  /** Starts over in this thread's buffer of {@link #buffers}. */
  ArgumentWriter(ThreadLocal<ByteBuffer> buffers) {
    this.buffer = buffers.get().clear();
  }

  /**
   * Returns buffers for one kind of arguments. The driver copies a launch's arguments before it
   * returns, so one a thread is enough; but each kind needs its own, since a prefill call launches
   * forward kernels between its own.
   */
  static ThreadLocal<ByteBuffer> buffers() {
    return ThreadLocal.withInitial(
        () -> ByteBuffer.allocateDirect(MOST_FIELDS * Long.BYTES).order(ByteOrder.nativeOrder()));
  }

  ArgumentWriter put(long number) {
    buffer.putLong(number);
    return this;
  }

  ArgumentWriter put(double number) {
    buffer.putDouble(number);
    return this;
  }

  /** Writes the address of the first element. */
  ArgumentWriter put(@Nullable TensorView view) {
    return put(view == null ? 0 : view.address());
  }

  ArgumentWriter put(@Nullable Memory memory) {
    return put(memory == null ? 0 : memory.address());
  }

  /** Writes the addresses of the sums and of the key sums. */
  ArgumentWriter put(@Nullable StateView state) {
    return put(state == null ? null : state.sums()).put(state == null ? null : state.keySums());
  }

  /** Writes the distances between batch entries, tokens and heads. */
  ArgumentWriter putStrides(@Nullable TensorView view) {
    return put(view == null ? 0 : view.batchStride())
        .put(view == null ? 0 : view.tokenStride())
        .put(view == null ? 0 : view.headStride());
  }

  /** Returns what was written; it is valid until this thread's next writer of the same kind. */
  ByteBuffer written() {
    return buffer.flip();
  }
}
