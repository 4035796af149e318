package org.powerattention.runtime;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.TensorView;

/**
 * An array of numbers in the memory of an {@link Accelerator}, made by its methods.
 *
 * <p>{@link #slice}, {@link #select}, {@link #permute} and {@link #reshape} return <em>views</em>:
 * they share the memory, cost nothing, live exactly as long as the tensor they come from, and
 * closing one closes nothing. Strides count elements.
 *
 * <p>Host copies are in row-major order of the tensor's own shape, whatever its strides, and take
 * place after all work on the accelerator's default stream and on streams of its own making; they
 * have finished when the method returns. Copying to a strided view reads and writes back what lies
 * between its elements, so nothing else may write there meanwhile.
 *
 * <p>Every method but {@link #close} throws {@link IllegalStateException} once the tensor, or its
 * accelerator, is closed. A tensor must not be closed while another thread uses it.
 */
public final class Tensor implements AutoCloseable {
  private final Storage storage;
  private final DType dtype;
  private final Layout layout;
  private final boolean view;

  Tensor(Storage storage, DType dtype, Layout layout, boolean view) {
    this.storage = storage;
    this.dtype = dtype;
    this.layout = layout;
    this.view = view;
  }

  /** Returns the accelerator whose memory it lies in. */
  public Accelerator accelerator() {
    return storage.accelerator();
  }

  /** Returns the element type. */
  public DType dtype() {
    return dtype;
  }

  /** Returns the size of each dimension. */
  public long[] shape() {
    return layout.shape().clone();
  }

  /** Returns, per dimension, the elements from one index to the next. */
  public long[] strides() {
    return layout.strides().clone();
  }

  /** Returns the number of elements, the product of the shape. */
  public long elements() {
    return layout.elements();
  }

  /** Returns whether the elements lie in row-major order without gaps. */
  public boolean isContiguous() {
    return layout.isContiguous();
  }

  /**
   * Returns the device address of the first element.
   *
   * @throws UnsupportedOperationException on the CPU
   */
  public long address() {
    Memory memory = storage.memory();
    if (!accelerator().isCuda()) {
      throw new UnsupportedOperationException(
          "a tensor on the CPU has no device address; use copyTo");
    }
    return memory.address() + layout.offset() * dtype.bytes();
  }

  /**
   * Copies values here, rounding each to the nearest number of the dtype, ties to even.
   *
   * @throws IllegalArgumentException if there is not exactly one value per element, or the tensor
   *     repeats elements (a stride of 0)
   */
  public void copyFrom(float[] values) {
    copyFrom(FloatBuffer.wrap(values));
  }

  /**
   * Copies a buffer's remaining values here as {@link #copyFrom(float[])} does. The buffer's
   * position stays as it is.
   *
   * @throws IllegalArgumentException as {@link #copyFrom(float[])}
   */
  public void copyFrom(FloatBuffer values) {
    checkCount(values.remaining(), layout.elements(), "values");
    upload(new HostValues.Floats(values.duplicate(), dtype));
  }

  /**
   * Copies a buffer's remaining bytes here: elements of the dtype in native byte order. The
   * buffer's position stays as it is.
   *
   * @throws IllegalArgumentException if they are not exactly the tensor's number of bytes, or the
   *     tensor repeats elements (a stride of 0)
   */
  public void copyFrom(ByteBuffer raw) {
    checkCount(raw.remaining(), layout.elements() * dtype.bytes(), "bytes");
    upload(new HostValues.Raw(raw.duplicate(), dtype));
  }

  /**
   * Returns all elements.
   *
   * @throws IllegalArgumentException if they do not fit one array; copy slices then
   */
  public float[] toFloats() {
    if (layout.elements() > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          this + " has more elements than a Java array; copy slices of it");
    }
    float[] values = new float[(int) layout.elements()];
    copyTo(values);
    return values;
  }

  /**
   * Copies all elements to an array.
   *
   * @throws IllegalArgumentException if its length is not the number of elements
   */
  public void copyTo(float[] target) {
    copyTo(FloatBuffer.wrap(target));
  }

  /**
   * Copies all elements to a buffer, which must have exactly that many remaining. Its position
   * stays as it is.
   *
   * @throws IllegalArgumentException if it has not, or is read-only
   */
  public void copyTo(FloatBuffer target) {
    checkWritable(target.isReadOnly());
    checkCount(target.remaining(), layout.elements(), "values");
    download(new HostValues.Floats(target.duplicate(), dtype));
  }

  /**
   * Copies all elements to a buffer as bytes of the dtype in native byte order; it must have
   * exactly that many bytes remaining. Its position stays as it is.
   *
   * @throws IllegalArgumentException if it has not, or is read-only
   */
  public void copyTo(ByteBuffer raw) {
    checkWritable(raw.isReadOnly());
    checkCount(raw.remaining(), layout.elements() * dtype.bytes(), "bytes");
    download(new HostValues.Raw(raw.duplicate(), dtype));
  }

  /**
   * Returns a view of the indices from {@code from} (inclusive) to {@code to} (exclusive) of a
   * dimension.
   *
   * @throws IllegalArgumentException if there is no such dimension, or no such or an empty range
   */
  public Tensor slice(int dimension, long from, long to) {
    return viewAs(layout.slice(dimension, from, to));
  }

  /**
   * Returns a view of one index of a dimension, which the view does not have.
   *
   * @throws IllegalArgumentException if there is no such dimension or index
   */
  public Tensor select(int dimension, long index) {
    return viewAs(layout.select(dimension, index));
  }

  /**
   * Returns a view with the dimensions in another order: its dimension {@code k} is this tensor's
   * {@code order[k]}.
   *
   * @throws IllegalArgumentException if {@code order} does not name every dimension once
   */
  public Tensor permute(int... order) {
    return viewAs(layout.permute(order));
  }

  /**
   * Returns a view with another shape of as many elements, in the same row-major order.
   *
   * @throws IllegalArgumentException if this tensor is not contiguous, or the number of elements
   *     differs
   */
  public Tensor reshape(long... shape) {
    return viewAs(layout.reshape(shape));
  }

  /** Frees the memory, unless this is a view or the memory is borrowed. */
  @Override
  public void close() {
    if (!view) {
      storage.close();
    }
  }

  /** Returns the dtype, shape and place in words. */
  @Override
  public String toString() {
    return dtype + " tensor " + layout + " on " + accelerator().name();
  }

  Layout layout() {
    return layout;
  }

  Memory memory() {
    return storage.memory();
  }

  void checkOpen() {
    storage.checkOpen();
  }

  /**
   * Returns the tensor as a backend sees it.
   *
   * @param packed whether its first dimensions are [tokens, heads] instead of [batch, tokens,
   *     heads]
   */
  TensorView backendView(boolean packed) {
    long[] strides = layout.strides();
    int tokens = packed ? 0 : 1;
    return new TensorView(
        storage.memory(),
        layout.offset(),
        dtype,
        packed ? 0 : strides[0],
        strides[tokens],
        strides[tokens + 1]);
  }

  private Tensor viewAs(Layout other) {
    storage.checkOpen();
    return new Tensor(storage, dtype, other, true);
  }

  private void upload(HostValues values) {
    if (!layout.isInjective()) {
      throw new IllegalArgumentException(
          this + " repeats elements, so it cannot be written; write the tensor it is a view of");
    }
    HostCopy.run(storage, dtype, layout, values, true);
  }

  private void download(HostValues values) {
    HostCopy.run(storage, dtype, layout, values, false);
  }

  private void checkCount(long given, long needed, String unit) {
    if (given != needed) {
      throw new IllegalArgumentException(
          given + " " + unit + " given for " + this + "; needed: exactly " + needed);
    }
  }

  private static void checkWritable(boolean readOnly) {
    if (readOnly) {
      throw new IllegalArgumentException("the target buffer is read-only; give a writable one");
    }
  }
}
