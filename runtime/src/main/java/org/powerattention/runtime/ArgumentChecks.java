package org.powerattention.runtime;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/**
 * The checks of a call's tensors and stream, all made before anything is allocated or launched.
 * Each failure is an {@link IllegalArgumentException} that says what was given and what is allowed.
 */
final class ArgumentChecks {
  private final Accelerator accelerator;
  private final KernelSpec spec;

  ArgumentChecks(Accelerator accelerator, KernelSpec spec) {
    this.accelerator = accelerator;
    this.spec = spec;
  }

  /** Checks the inputs of a call and returns its sizes. */
  CallSizes inputs(Inputs inputs, @Nullable PackedSequences packed) {
    CallSizes sizes = sizes(inputs.q(), inputs.k(), packed);
    tensor("v", inputs.v(), spec.dtype());
    shape("v", inputs.v(), sizes.keyShape(spec));
    contiguousHeads("v", inputs.v());
    gates(inputs.logG(), sizes);
    return sizes;
  }

  /** Checks queries and keys and returns the sizes of their call. */
  CallSizes sizes(Tensor q, Tensor k, @Nullable PackedSequences packed) {
    String tokens = packed == null ? "[batch, tokens, " : "[total tokens, ";
    int heads = packed == null ? 2 : 1;
    heads("q", q, heads, tokens + "query heads, " + spec.headDim() + "]");
    heads("k", k, heads, tokens + "key/value heads, " + spec.headDim() + "]");
    long[] queries = q.layout().shape();
    int queryHeads = toInt("query heads", "q", queries[heads]);
    int keyHeads = toInt("key/value heads", "k", k.layout().shape()[heads]);
    CallSizes sizes;
    if (packed == null) {
      sizes =
          new CallSizes(
              toInt("batch", "q", queries[0]),
              toInt("tokens", "q", queries[1]),
              queryHeads,
              keyHeads,
              null);
    } else {
      sameAccelerator("packed", packed.accelerator());
      packed.view();
      sizes = new CallSizes(packed.count(), packed.longest(), queryHeads, keyHeads, packed);
      // The number of tokens comes from the offsets, so this can fail for q too.
      shape("q", q, sizes.queryShape(spec));
    }
    shape("k", k, sizes.keyShape(spec));
    return sizes;
  }

  private void gates(@Nullable Tensor logG, CallSizes sizes) {
    if (logG == null) {
      if (spec.gated()) {
        throw new IllegalArgumentException(
            "logG = null for a gated operator; give log gates of shape "
                + Arrays.toString(sizes.gateShape())
                + " in FP32, or declare gated = false");
      }
      return;
    }
    if (!spec.gated()) {
      throw new IllegalArgumentException(
          "logG given for an operator without gates; give null, or declare gated = true");
    }
    tensor("logG", logG, DType.FP32);
    shape("logG", logG, sizes.gateShape());
  }

  /** Checks the gradient of the output. */
  void outputGradient(Tensor dY, CallSizes sizes) {
    tensor("dY", dY, spec.dtype());
    shape("dY", dY, sizes.queryShape(spec));
    contiguousHeads("dY", dY);
  }

  /** Checks a tensor for a result in the spec's dtype, whose last dimension is a head. */
  void headResult(String name, Tensor result, long[] expected) {
    result(name, result, spec.dtype(), expected);
    contiguousHeads(name, result);
  }

  /** Checks the gradients' tensors. */
  void gradients(Gradients gradients, CallSizes sizes) {
    Objects.requireNonNull(gradients, "gradients");
    headResult("dQ", gradients.dQ(), sizes.queryShape(spec));
    headResult("dK", gradients.dK(), sizes.keyShape(spec));
    headResult("dV", gradients.dV(), sizes.keyShape(spec));
    Tensor dLogG = gradients.dLogG().orElse(null);
    if (dLogG == null && spec.gated()) {
      throw new IllegalArgumentException(
          "gradients without dLogG for a gated operator; give a tensor of shape "
              + Arrays.toString(sizes.gateShape())
              + " in FP32, or use newGradients");
    }
    if (dLogG != null && !spec.gated()) {
      throw new IllegalArgumentException(
          "gradients with dLogG for an operator without gates; leave it out");
    }
    if (dLogG != null) {
      result("dLogG", dLogG, DType.FP32, sizes.gateShape());
    }
  }

  private void result(String name, Tensor result, DType dtype, long[] expected) {
    tensor(name, result, dtype);
    shape(name, result, expected);
    if (!result.layout().isInjective()) {
      throw new IllegalArgumentException(
          name
              + " of shape "
              + result.layout()
              + " repeats elements, so it cannot hold a result; give a tensor with distinct ones");
    }
  }

  /** Checks a call's stream. */
  void stream(@Nullable Stream stream) {
    if (stream != null) {
      sameAccelerator("stream", stream.accelerator());
      stream.handle();
    }
  }

  /** Checks that something belongs to the operator's accelerator. */
  void sameAccelerator(String name, Accelerator other) {
    if (other != accelerator) {
      throw new IllegalArgumentException(
          name
              + " belongs to another accelerator ("
              + other.name()
              + ") than the operator ("
              + accelerator.name()
              + "); make it with the operator's accelerator()");
    }
  }

  private void heads(String name, Tensor tensor, int heads, String expected) {
    tensor(name, tensor, spec.dtype());
    Layout layout = tensor.layout();
    if (layout.rank() != heads + 2 || layout.shape()[heads + 1] != spec.headDim()) {
      throw new IllegalArgumentException(
          name + " of shape " + Arrays.toString(layout.shape()) + "; expected: " + expected);
    }
    contiguousHeads(name, tensor);
  }

  private void tensor(String name, @Nullable Tensor tensor, DType dtype) {
    Objects.requireNonNull(tensor, name);
    sameAccelerator(name, tensor.accelerator());
    tensor.memory();
    if (tensor.dtype() != dtype) {
      throw new IllegalArgumentException(
          name + " of dtype " + tensor.dtype() + "; expected: " + dtype);
    }
  }

  private static void shape(String name, Tensor tensor, long[] expected) {
    if (!Arrays.equals(tensor.layout().shape(), expected)) {
      throw new IllegalArgumentException(
          name
              + " of shape "
              + Arrays.toString(tensor.layout().shape())
              + "; expected: "
              + Arrays.toString(expected));
    }
  }

  private static void contiguousHeads(String name, Tensor tensor) {
    Layout layout = tensor.layout();
    if (layout.strides()[layout.rank() - 1] != 1) {
      throw new IllegalArgumentException(
          name
              + " of shape "
              + layout
              + "; expected: a stride of 1 in the last dimension (the others are free)");
    }
  }

  private static int toInt(String what, String name, long value) {
    if (value > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          what + " of " + name + " = " + value + "; allowed: up to " + Integer.MAX_VALUE);
    }
    return (int) value;
  }
}
