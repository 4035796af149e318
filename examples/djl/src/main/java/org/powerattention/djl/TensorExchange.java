package org.powerattention.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Tensor;

/**
 * Shows DJL's arrays to an operator as tensors, and the other way round: the same memory where both
 * can use it, else a copy. DJL gives neither a device pointer nor a stream, so what one of the two
 * has on a GPU passes through the host; and its CPU engine is only asked for float32, because it
 * ends the JVM over bfloat16.
 */
final class TensorExchange {
  private final Accelerator accelerator;
  private final DType dtype;

  /**
   * @param accelerator the operator's device
   * @param dtype its element type
   */
  TensorExchange(Accelerator accelerator, DType dtype) {
    this.accelerator = accelerator;
    this.dtype = dtype;
  }

  /** Tells in words how q, k, v, y and their gradients get from one to the other. */
  String describe() {
    if (accelerator.isCuda()) {
      return "copied through the host, because DJL gives no device pointer";
    }
    return dtype == DType.FP32
        ? "shared with DJL where its array is contiguous and on the CPU"
        : "copied and rounded to " + dtype + ", because DJL holds float32";
  }

  /** Returns an input of the operator, to be closed before the array is. */
  Tensor read(NDArray array) {
    return read(array, dtype);
  }

  /** Returns log gates, which are fp32 whatever the operator's dtype. */
  @Nullable Tensor readGates(@Nullable NDArray array) {
    return array == null ? null : read(array, DType.FP32);
  }

  private Tensor read(NDArray array, DType type) {
    long[] shape = array.getShape().getShape();
    return shares(type)
        ? accelerator.borrow(type, array.toByteBuffer(true), shape)
        : accelerator.tensor(type, array.toFloatArray(), shape);
  }

  /** Returns a place for a result, of the operator's dtype. */
  Result result(NDManager manager, Shape shape) {
    return result(manager, shape, dtype);
  }

  /** Returns a place for gradients of log gates. */
  Result gateResult(NDManager manager, Shape shape) {
    return result(manager, shape, DType.FP32);
  }

  private Result result(NDManager manager, Shape shape, DType type) {
    boolean shared = shares(type) && !manager.getDevice().isGpu();
    if (!shared) {
      return new Result(manager, shape, null, accelerator.zeros(type, shape.getShape()));
    }
    NDArray array = manager.create(shape, DataType.FLOAT32);
    ByteBuffer memory = array.toByteBuffer(true);
    return new Result(manager, shape, array, accelerator.borrow(type, memory, shape.getShape()));
  }

  private boolean shares(DType type) {
    return !accelerator.isCuda() && type == DType.FP32;
  }

  /**
   * A place that an operator writes and DJL reads.
   *
   * @param manager owner of the array
   * @param shape of both
   * @param shared the array whose memory the tensor is; null if there is none
   * @param tensor what the operator writes
   */
  record Result(NDManager manager, Shape shape, @Nullable NDArray shared, Tensor tensor)
      implements AutoCloseable {
    /** Returns what was written. */
    NDArray array() {
      return shared != null ? shared : manager.create(tensor.toFloats(), shape);
    }

    @Override
    public void close() {
      tensor.close();
    }
  }
}
