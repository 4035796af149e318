package org.powerattention.runtime;

import java.util.Arrays;

/**
 * Where a tensor's elements lie in its memory: element {@code (i_0, i_1, ...)} at {@code offset +
 * sum_k i_k strides[k]}, all counted in elements. Immutable; the arrays are not to be changed.
 */
@SuppressWarnings("ArrayRecordComponent") // shared by views and never compared
record Layout(long offset, long[] shape, long[] strides) {
  /** Returns the row-major layout of a shape. */
  static Layout contiguous(long... shape) {
    long[] sizes = checkShape(shape);
    long[] strides = new long[sizes.length];
    long stride = 1;
    for (int k = sizes.length - 1; k >= 0; k--) {
      strides[k] = stride;
      stride *= sizes[k];
    }
    return new Layout(0, sizes, strides);
  }

  /** Returns a layout with given strides, which must not be negative. */
  static Layout strided(long[] shape, long[] strides) {
    long[] sizes = checkShape(shape);
    if (strides.length != shape.length) {
      throw new IllegalArgumentException(
          "strides = "
              + Arrays.toString(strides)
              + " for shape "
              + Arrays.toString(shape)
              + ": give one stride, in elements, per dimension");
    }
    for (long stride : strides) {
      if (stride < 0) {
        throw new IllegalArgumentException(
            "strides = " + Arrays.toString(strides) + "; allowed: 0 and more, in elements");
      }
    }
    Layout layout = new Layout(0, sizes, strides.clone());
    try {
      layout.end();
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "shape " + layout + " reaches beyond 2^63 elements; give the strides in elements", e);
    }
    return layout;
  }

  private static long[] checkShape(long[] shape) {
    long elements = 1;
    for (long size : shape) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "shape = " + Arrays.toString(shape) + "; allowed: sizes of 1 and more");
      }
      // 8 bytes an element are more than any dtype has, so a size in bytes cannot overflow either.
      if (Math.multiplyHigh(elements, size) != 0
          || elements * size < 0
          || elements * size > Long.MAX_VALUE / 8) {
        throw new IllegalArgumentException(
            "shape = " + Arrays.toString(shape) + " has more elements than memory has addresses");
      }
      elements *= size;
    }
    return shape.clone();
  }

  int rank() {
    return shape.length;
  }

  long elements() {
    long elements = 1;
    for (long size : shape) {
      elements *= size;
    }
    return elements;
  }

  /** Returns one more than the position of the last element. */
  long end() {
    long last = offset;
    for (int k = 0; k < shape.length; k++) {
      last = Math.addExact(last, Math.multiplyExact(shape[k] - 1, strides[k]));
    }
    return Math.addExact(last, 1);
  }

  boolean isContiguous() {
    long expected = 1;
    for (int k = shape.length - 1; k >= 0; k--) {
      if (shape[k] != 1 && strides[k] != expected) {
        return false;
      }
      expected *= shape[k];
    }
    return true;
  }

  /**
   * Returns whether no two indices can name the same element. Layouts whose dimensions interleave
   * without nesting are taken for repeating, though a few do not.
   */
  boolean isInjective() {
    Integer[] order = new Integer[rank()];
    Arrays.setAll(order, k -> k);
    Arrays.sort(order, (a, b) -> Long.compare(strides[a], strides[b]));
    long reach = 0;
    for (int k : order) {
      if (shape[k] > 1) {
        if (strides[k] <= reach) {
          return false;
        }
        reach += (shape[k] - 1) * strides[k];
      }
    }
    return true;
  }

  Layout slice(int dimension, long from, long to) {
    checkDimension(dimension);
    if (from < 0 || to > shape[dimension] || from >= to) {
      throw new IllegalArgumentException(
          "slice from "
              + from
              + " to "
              + to
              + " of dimension "
              + dimension
              + " of "
              + this
              + "; allowed: 0 <= from < to <= "
              + shape[dimension]);
    }
    long[] sizes = shape.clone();
    sizes[dimension] = to - from;
    return new Layout(offset + from * strides[dimension], sizes, strides);
  }

  Layout select(int dimension, long index) {
    checkDimension(dimension);
    if (index < 0 || index >= shape[dimension]) {
      throw new IllegalArgumentException(
          "index "
              + index
              + " of dimension "
              + dimension
              + " of "
              + this
              + "; allowed: 0 to "
              + (shape[dimension] - 1));
    }
    return new Layout(
        offset + index * strides[dimension],
        without(shape, dimension),
        without(strides, dimension));
  }

  Layout permute(int... order) {
    long[] sizes = new long[rank()];
    long[] steps = new long[rank()];
    boolean[] seen = new boolean[rank()];
    boolean valid = order.length == rank();
    for (int k = 0; valid && k < rank(); k++) {
      valid = order[k] >= 0 && order[k] < rank() && !seen[order[k]];
      if (valid) {
        seen[order[k]] = true;
        sizes[k] = shape[order[k]];
        steps[k] = strides[order[k]];
      }
    }
    if (!valid) {
      throw new IllegalArgumentException(
          "order "
              + Arrays.toString(order)
              + " of "
              + this
              + ": name each dimension from 0 to "
              + (rank() - 1)
              + " once");
    }
    return new Layout(offset, sizes, steps);
  }

  Layout reshape(long... newShape) {
    Layout target = contiguous(newShape);
    if (!isContiguous()) {
      throw new IllegalArgumentException(
          "reshape of the non-contiguous " + this + "; allowed: contiguous tensors");
    }
    if (target.elements() != elements()) {
      throw new IllegalArgumentException(
          "reshape of "
              + this
              + " to "
              + Arrays.toString(newShape)
              + "; allowed: shapes of "
              + elements()
              + " elements");
    }
    return new Layout(offset, target.shape, target.strides);
  }

  /** Returns the shape, with the strides unless they follow from it. */
  @Override
  public String toString() {
    return isContiguous()
        ? Arrays.toString(shape)
        : Arrays.toString(shape) + " with strides " + Arrays.toString(strides);
  }

  private void checkDimension(int dimension) {
    if (dimension < 0 || dimension >= rank()) {
      throw new IllegalArgumentException(
          "dimension "
              + dimension
              + " of "
              + this
              + (rank() == 0 ? ", which has none" : "; allowed: 0 to " + (rank() - 1)));
    }
  }

  private static long[] without(long[] values, int position) {
    long[] rest = new long[values.length - 1];
    System.arraycopy(values, 0, rest, 0, position);
    System.arraycopy(values, position + 1, rest, position, rest.length - position);
    return rest;
  }
}
