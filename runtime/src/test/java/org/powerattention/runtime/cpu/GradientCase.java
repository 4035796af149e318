package org.powerattention.runtime.cpu;

import java.util.Arrays;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PackedView;
import org.powerattention.runtime.spi.SavedView;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;

/** A case together with upstream gradients; the final state has one if {@link #withFinal}. */
final class GradientCase {
  final Case inputs;
  final float[] dY;
  float @Nullable [] dFinalSums;
  float @Nullable [] dFinalKeySums;

  /** First tokens of packed sequences, and the end; null if they are not packed. */
  int @Nullable [] offsets;

  GradientCase(Case inputs, long seed) {
    this.inputs = inputs;
    this.dY = Case.gaussian(new Random(seed), inputs.outputs());
    for (int i = 0; i < dY.length; i++) {
      dY[i] = Case.round(inputs.spec.dtype(), dY[i]);
    }
  }

  int sequences() {
    return offsets == null ? inputs.batch : offsets.length - 1;
  }

  private int features() {
    return sequences() * inputs.keyHeads * inputs.spec.featureDim();
  }

  /**
   * Adds an initial state: that of some random keys with weights from 0 to 1, so that a sum of
   * weights stays positive.
   */
  GradientCase withInitial(long seed) {
    Random random = new Random(seed);
    int d = inputs.spec.headDim();
    int heads = sequences() * inputs.keyHeads;
    Case before = new Case(inputs.spec, heads, 6, 1, 1, -0.3, seed);
    inputs.initialSums = new float[features() * d];
    inputs.initialKeySums = new float[features()];
    Reference reference = new Reference(before);
    for (int head = 0; head < heads; head++) {
      double[][] state = reference.finalState(head, 0);
      for (int f = 0; f < state.length; f++) {
        int feature = head * state.length + f;
        for (int c = 0; c < d; c++) {
          inputs.initialSums[feature * d + c] = (float) state[f][c];
        }
        inputs.initialKeySums[feature] = (float) state[f][d];
      }
    }
    if (random.nextBoolean()) {
      inputs.scale *= 1.5;
    }
    return this;
  }

  /** Adds a random gradient of the final state. */
  GradientCase withFinal(long seed) {
    Random random = new Random(seed);
    dFinalSums = Case.gaussian(random, features() * inputs.spec.headDim());
    dFinalKeySums = Case.gaussian(random, features());
    return this;
  }

  /** Gradients by name, row-major, those that do not exist empty; and the forward's results. */
  record Result(
      float[] q,
      float[] k,
      float[] v,
      float[] logG,
      float[] sums,
      float[] keySums,
      float[] y,
      float[] finalSums) {
    float[][] all() {
      return new float[][] {q, k, v, logG, sums, keySums};
    }
  }

  static final String[] NAMES = {"dq", "dk", "dv", "dlogG", "dS", "dz"};

  Result run(boolean chunked, boolean saved) {
    return run(chunked, saved, new CpuProgram(inputs.spec));
  }

  /** Runs the CPU backend on gradients filled with NaN. */
  Result run(boolean chunked, boolean saved, CpuProgram program) {
    KernelSpec spec = inputs.spec;
    int d = spec.headDim();
    PackedView packed = offsets == null ? null : new PackedView(offsets, Case.floats(new float[0]));
    Case.View q = view(inputs.queryHeads, inputs.q);
    Case.View k = view(inputs.keyHeads, inputs.k);
    Case.View v = view(inputs.keyHeads, inputs.v);
    TensorView logG =
        inputs.logG == null
            ? null
            : packed(inputs.new View(DType.FP32, inputs.keyHeads, 1, inputs.logG));
    StateView initial =
        inputs.initialSums == null ? null : state(inputs.initialSums, inputs.initialKeySums);
    StateView last = state(nans(features() * d), nans(features()));
    int rows = inputs.batch * inputs.tokens * inputs.queryHeads;
    SavedView kept =
        saved && spec.normalized()
            ? new SavedView(Case.floats(nans(rows * d)), Case.floats(nans(rows)), null)
            : null;
    Case.View y = view(inputs.queryHeads, null);
    int longest = inputs.tokens;
    if (offsets != null) {
      longest = 0;
      for (int i = 0; i + 1 < offsets.length; i++) {
        longest = Math.max(longest, offsets[i + 1] - offsets[i]);
      }
    }
    program.forward(
        new ForwardProblem(
            spec,
            sequences(),
            longest,
            inputs.queryHeads,
            inputs.keyHeads,
            inputs.scale,
            chunked,
            packed(q),
            packed(k),
            packed(v),
            logG,
            packed(y),
            initial,
            last,
            kept,
            packed,
            0));
    Case.View dQ = view(inputs.queryHeads, null);
    Case.View dK = view(inputs.keyHeads, null);
    Case.View dV = view(inputs.keyHeads, null);
    Case.View dLogG = logG == null ? null : inputs.new View(DType.FP32, inputs.keyHeads, 1, null);
    StateView dInitial = initial == null ? null : state(nans(features() * d), nans(features()));
    program.backward(
        new BackwardProblem(
            spec,
            sequences(),
            longest,
            inputs.queryHeads,
            inputs.keyHeads,
            inputs.scale,
            chunked,
            packed(q),
            packed(k),
            packed(v),
            logG,
            packed(view(inputs.queryHeads, dY)),
            packed(dQ),
            packed(dK),
            packed(dV),
            dLogG == null ? null : packed(dLogG),
            initial,
            dInitial,
            dFinalSums == null ? null : state(dFinalSums, dFinalKeySums),
            kept,
            packed,
            0));
    return new Result(
        dQ.values(),
        dK.values(),
        dV.values(),
        dLogG == null ? new float[0] : dLogG.values(),
        dInitial == null ? new float[0] : Case.floats(dInitial.sums()),
        dInitial == null || dInitial.keySums() == null
            ? new float[0]
            : Case.floats(dInitial.keySums()),
        y.values(),
        Case.floats(last.sums()));
  }

  private Case.View view(int heads, float @Nullable [] values) {
    return inputs.new View(inputs.spec.dtype(), heads, inputs.spec.headDim(), values);
  }

  private TensorView packed(Case.View view) {
    TensorView v = view.view;
    return offsets == null
        ? v
        : new TensorView(v.memory(), v.offset(), v.dtype(), 0, v.tokenStride(), v.headStride());
  }

  private StateView state(float[] sums, float @Nullable [] keySums) {
    Memory key = inputs.spec.normalized() && keySums != null ? Case.floats(keySums) : null;
    return new StateView(Case.floats(sums), key, null);
  }

  private static float[] nans(int length) {
    float[] values = new float[length];
    Arrays.fill(values, Float.NaN);
    return values;
  }
}
