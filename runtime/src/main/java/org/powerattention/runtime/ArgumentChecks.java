package org.powerattention.runtime;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/**
 * The checks of a forward call's arguments, all made before anything is allocated or launched. Each
 * failure is an {@link IllegalArgumentException} that says what was given and what is allowed.
 */
final class ArgumentChecks {
  /** Most thread blocks along a CUDA grid's third dimension, which counts batch times heads. */
  static final int MAX_BATCH_HEADS = 65_535;

  /** The sizes of a call: sequences, tokens, query heads, key/value heads. */
  record Sizes(int batch, int tokens, int queryHeads, int keyHeads) {
    /**
     * Checks ranges.
     *
     * @throws IllegalArgumentException if one is out of its range
     */
    Sizes {
      checkRange("batch", batch);
      checkRange("tokens", tokens);
      checkRange("queryHeads", queryHeads);
      checkRange("keyHeads", keyHeads);
      if (queryHeads % keyHeads != 0) {
        throw new IllegalArgumentException(
            "queryHeads = "
                + queryHeads
                + " with keyHeads = "
                + keyHeads
                + "; allowed: multiples of the number of key/value heads");
      }
      if ((long) batch * queryHeads > MAX_BATCH_HEADS) {
        throw new IllegalArgumentException(
            "batch * queryHeads = "
                + (long) batch * queryHeads
                + "; allowed: up to "
                + MAX_BATCH_HEADS
                + "; split the batch into several calls");
      }
    }

    private static void checkRange(String name, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(name + " = " + value + "; allowed: 1 and more");
      }
    }

    long[] queryShape(KernelSpec spec) {
      return new long[] {batch, tokens, queryHeads, spec.headDim()};
    }

    long[] keyShape(KernelSpec spec) {
      return new long[] {batch, tokens, keyHeads, spec.headDim()};
    }

    long[] gateShape() {
      return new long[] {batch, tokens, keyHeads};
    }
  }

  private final Accelerator accelerator;
  private final KernelSpec spec;

  ArgumentChecks(Accelerator accelerator, KernelSpec spec) {
    this.accelerator = accelerator;
    this.spec = spec;
  }

  /** Checks the inputs of a call and returns its sizes. */
  Sizes inputs(Tensor q, Tensor k, Tensor v, @Nullable Tensor logG) {
    heads("q", q, "[batch, tokens, query heads, " + spec.headDim() + "]");
    heads("k", k, "[batch, tokens, key/value heads, " + spec.headDim() + "]");
    long[] queries = q.layout().shape();
    long[] keys = k.layout().shape();
    Sizes sizes =
        new Sizes(
            toInt("batch", "q", queries[0]),
            toInt("tokens", "q", queries[1]),
            toInt("query heads", "q", queries[2]),
            toInt("key/value heads", "k", keys[2]));
    shape("k", k, sizes.keyShape(spec));
    tensor("v", v, spec.dtype());
    shape("v", v, sizes.keyShape(spec));
    contiguousHeads("v", v);
    gates(logG, sizes);
    return sizes;
  }

  private void gates(@Nullable Tensor logG, Sizes sizes) {
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

  /** Checks a tensor for the result, which must share no memory with anything that is read. */
  void output(
      Tensor y,
      Sizes sizes,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ForwardOptions options) {
    tensor("y", y, spec.dtype());
    shape("y", y, sizes.queryShape(spec));
    contiguousHeads("y", y);
    if (!y.layout().isInjective()) {
      throw new IllegalArgumentException(
          "y of shape "
              + y.layout()
              + " repeats elements, so it cannot hold a result; give a tensor with distinct ones");
    }
    apart("y", y, "q", q);
    apart("y", y, "k", k);
    apart("y", y, "v", v);
    apart("y", y, "logG", logG);
    stateApart("initialState", options.initialState(), "y", y);
    stateApart("finalState", options.finalState(), "y", y);
  }

  /** Checks the states and the stream. The final state must share no memory with an input. */
  void options(
      ForwardOptions options, Sizes sizes, Tensor q, Tensor k, Tensor v, @Nullable Tensor logG) {
    Objects.requireNonNull(options, "options");
    state("initialState", options.initialState(), sizes);
    state("finalState", options.finalState(), sizes);
    stateApart("finalState", options.finalState(), "q", q);
    stateApart("finalState", options.finalState(), "k", k);
    stateApart("finalState", options.finalState(), "v", v);
    stateApart("finalState", options.finalState(), "logG", logG);
    Stream stream = options.stream();
    if (stream != null) {
      sameAccelerator("stream", stream.accelerator());
      stream.handle();
    }
  }

  private void state(String name, @Nullable State state, Sizes sizes) {
    if (state == null) {
      return;
    }
    sameAccelerator(name, state.sums().accelerator());
    state.sums().memory();
    KernelSpec other = state.spec();
    if (other.degree() != spec.degree()
        || other.headDim() != spec.headDim()
        || other.normalized() != spec.normalized()
        || state.batch() != sizes.batch()
        || state.keyHeads() != sizes.keyHeads()) {
      throw new IllegalArgumentException(
          name
              + " of "
              + describe(other, state.batch(), state.keyHeads())
              + "; needed: "
              + describe(spec, sizes.batch(), sizes.keyHeads())
              + ", from this operator's newState");
    }
  }

  private static String describe(KernelSpec spec, int batch, int keyHeads) {
    return "degree "
        + spec.degree()
        + ", headDim "
        + spec.headDim()
        + (spec.normalized() ? ", normalized" : ", not normalized")
        + ", batch "
        + batch
        + ", key/value heads "
        + keyHeads;
  }

  private static void stateApart(
      String name, @Nullable State state, String otherName, @Nullable Tensor tensor) {
    if (state != null) {
      apart(name, state.sums(), otherName, tensor);
      apart(name, state.keySums().orElse(null), otherName, tensor);
    }
  }

  private static void apart(String name, @Nullable Tensor a, String otherName, @Nullable Tensor b) {
    if (a != null && b != null && Overlap.exists(a, b)) {
      throw new IllegalArgumentException(
          name
              + " of shape "
              + a.layout()
              + " overlaps "
              + otherName
              + " of shape "
              + b.layout()
              + "; results are written while inputs are still read, so give separate memory");
    }
  }

  private void heads(String name, Tensor tensor, String expected) {
    tensor(name, tensor, spec.dtype());
    Layout layout = tensor.layout();
    if (layout.rank() != 4 || layout.shape()[3] != spec.headDim()) {
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

  private void sameAccelerator(String name, Accelerator other) {
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
    if (tensor.layout().strides()[3] != 1) {
      throw new IllegalArgumentException(
          name
              + " of shape "
              + tensor.layout()
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
