package org.powerattention.runtime.spi;

import org.powerattention.annotations.DType;

/**
 * A tensor as a backend sees it: {@code [batch, tokens, heads, ...]} with the innermost dimension
 * contiguous.
 *
 * @param memory the block it lies in
 * @param offset offset of its first element in the block, in elements
 * @param dtype its element type
 * @param batchStride elements from one batch entry to the next
 * @param tokenStride elements from one token to the next
 * @param headStride elements from one head to the next
 */
public record TensorView(
    Memory memory, long offset, DType dtype, long batchStride, long tokenStride, long headStride) {
  /** Returns the device address of the first element. */
  public long address() {
    return memory.address() + offset * dtype.bytes();
  }
}
