package org.powerattention.kernels.accuracy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Tensor;

/** Inputs and the output of calls in an accelerator's memory. */
final class DeviceInputs implements AutoCloseable {
  /** How q, k, v, logG and y lie in memory. */
  enum Arrangement {
    /** Each row-major on its own. */
    CONTIGUOUS,
    /** q, k and v are slices of one tensor [b, t, hq + 2 h, d], as a fused projection makes it. */
    PACKED,
    /** Rows are padded by an odd number of elements each, so that few are aligned. */
    ODD
  }

  private final List<Tensor> owners = new ArrayList<>();
  private final Tensor yOwner;
  final Tensor q;
  final Tensor k;
  final Tensor v;
  final @Nullable Tensor logG;
  final Tensor y;

  DeviceInputs(Accelerator device, KernelSpec spec, Sequences sequences, Arrangement arrangement) {
    DType dtype = spec.dtype();
    long b = sequences.batch();
    long t = sequences.tokens();
    long hq = sequences.queryHeads();
    long h = sequences.keyHeads();
    long d = sequences.headDim();
    boolean odd = arrangement == Arrangement.ODD;
    if (arrangement == Arrangement.PACKED) {
      Tensor packed = owned(device.zeros(dtype, b, t, hq + 2 * h, d));
      q = packed.slice(2, 0, hq);
      k = packed.slice(2, hq, hq + h);
      v = packed.slice(2, hq + h, hq + 2 * h);
    } else {
      q = owned(device.zeros(dtype, b, t, hq, d + (odd ? 3 : 0))).slice(3, 0, d);
      k = owned(device.zeros(dtype, b, t, h, d + (odd ? 5 : 0))).slice(3, 0, d);
      v = owned(device.zeros(dtype, b, t, h, d + (odd ? 1 : 0))).slice(3, 0, d);
    }
    q.copyFrom(sequences.q());
    k.copyFrom(sequences.k());
    v.copyFrom(sequences.v());
    if (spec.gated()) {
      logG = owned(device.zeros(DType.FP32, b, t, h + (odd ? 1 : 0))).slice(2, 0, h);
      logG.copyFrom(sequences.logG());
    } else {
      logG = null;
    }
    yOwner = owned(device.zeros(dtype, b, t, hq, d + (odd ? 7 : 0)));
    y = yOwner.slice(3, 0, d);
  }

  /** Fills y, and what lies between its rows, with NaN. */
  void poisonOutput() {
    float[] poison = new float[Math.toIntExact(yOwner.elements())];
    Arrays.fill(poison, Float.NaN);
    yOwner.copyFrom(poison);
  }

  /**
   * Returns y.
   *
   * @throws AssertionError if what lies between its rows is no longer NaN
   */
  float[] output() {
    long d = y.shape()[3];
    long padded = yOwner.shape()[3];
    if (padded > d) {
      for (float value : yOwner.slice(3, d, padded).toFloats()) {
        if (!Float.isNaN(value)) {
          throw new AssertionError("wrote " + value + " between the rows of y");
        }
      }
    }
    return y.toFloats();
  }

  /** Returns the sequences as the operator sees them, rounded to its dtype. */
  Sequences rounded(Sequences sequences) {
    return sequences.with(q.toFloats(), k.toFloats(), v.toFloats());
  }

  @Override
  public void close() {
    owners.forEach(Tensor::close);
  }

  private Tensor owned(Tensor tensor) {
    owners.add(tensor);
    return tensor;
  }
}
