package org.powerattention.runtime;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;

/** Contiguous tensors over device addresses for the time of one call. */
final class BorrowedTensors implements AutoCloseable {
  private final Accelerator accelerator;
  private final List<Tensor> tensors = new ArrayList<>();

  BorrowedTensors(Accelerator accelerator) {
    this.accelerator = accelerator;
  }

  /** Returns the tensor at an address. */
  Tensor tensor(DType dtype, long address, long[] shape) {
    Tensor tensor = accelerator.borrow(dtype, address, shape);
    tensors.add(tensor);
    return tensor;
  }

  /** Returns the tensor at an address, or null for address 0. */
  @Nullable Tensor tensorOrNull(DType dtype, long address, long[] shape) {
    return address == 0 ? null : tensor(dtype, address, shape);
  }

  @Override
  public void close() {
    tensors.forEach(Tensor::close);
  }
}
