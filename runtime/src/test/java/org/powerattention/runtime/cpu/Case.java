package org.powerattention.runtime.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.HalfFloats;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;

/**
 * The inputs of a forward call, held as the rounded fp32 values that both the code under test and
 * the reference see, row-major {@code [b, t, heads, d]}.
 */
final class Case {
  final KernelSpec spec;
  final int batch;
  final int tokens;
  final int queryHeads;
  final int keyHeads;
  double scale;
  final float[] q;
  final float[] k;
  final float[] v;
  final float @Nullable [] logG;
  float @Nullable [] initialSums;
  float @Nullable [] initialKeySums;

  /** Elements between heads beyond d, between tokens beyond a token's heads, before the first. */
  int padding;

  /** A random case: standard normal vectors, log gates with an exponential distribution. */
  Case(
      KernelSpec spec,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      double gate,
      long seed) {
    this.spec = spec;
    this.batch = batch;
    this.tokens = tokens;
    this.queryHeads = queryHeads;
    this.keyHeads = keyHeads;
    this.scale = 1 / Math.sqrt(spec.headDim());
    Random random = new Random(seed);
    int d = spec.headDim();
    q = gaussian(random, batch * tokens * queryHeads * d);
    k = gaussian(random, batch * tokens * keyHeads * d);
    v = gaussian(random, batch * tokens * keyHeads * d);
    for (float[] values : new float[][] {q, k, v}) {
      for (int i = 0; i < values.length; i++) {
        values[i] = round(spec.dtype(), values[i]);
      }
    }
    if (spec.gated()) {
      logG = new float[batch * tokens * keyHeads];
      for (int i = 0; i < logG.length; i++) {
        logG[i] = (float) (gate * -Math.log(1 - random.nextDouble()));
      }
    } else {
      logG = null;
    }
  }

  static float[] gaussian(Random random, int length) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Rounds by way of the element formats' definitions, in fp64, and not by the code under test. */
  static float round(DType dtype, float value) {
    if (dtype == DType.FP32 || value == 0 || Float.isNaN(value) || Float.isInfinite(value)) {
      return value;
    }
    int fraction = dtype == DType.BF16 ? 7 : 10;
    int least = dtype == DType.BF16 ? -126 : -14;
    double unit = Math.scalb(1.0, Math.max(Math.getExponent((double) value), least) - fraction);
    return (float) (Math.rint(value / unit) * unit);
  }

  int outputs() {
    return batch * tokens * queryHeads * spec.headDim();
  }

  /** The part of this case that is tokens {@code [from, to)}, without a state. */
  Case tokens(int from, int to) {
    Case part = new Case(spec, batch, to - from, queryHeads, keyHeads, -1, 0);
    part.scale = scale;
    copyTokens(q, part.q, from, to, queryHeads * spec.headDim());
    copyTokens(k, part.k, from, to, keyHeads * spec.headDim());
    copyTokens(v, part.v, from, to, keyHeads * spec.headDim());
    if (logG != null && part.logG != null) {
      copyTokens(logG, part.logG, from, to, keyHeads);
    }
    return part;
  }

  private void copyTokens(float[] source, float[] target, int from, int to, int width) {
    for (int b = 0; b < batch; b++) {
      System.arraycopy(
          source,
          (b * tokens + from) * width,
          target,
          b * (to - from) * width,
          (to - from) * width);
    }
  }

  /** What a run gave: y row-major, and the final state if there was room for one. */
  record Result(float[] y, float[] sums, float[] keySums) {}

  Result run(boolean chunked) {
    return run(chunked, false);
  }

  /** Runs the CPU backend on a y filled with NaN. */
  Result run(boolean chunked, boolean finalState) {
    return run(chunked, finalState, new CpuProgram(spec));
  }

  Result run(boolean chunked, boolean finalState, CpuProgram program) {
    int d = spec.headDim();
    int states = batch * keyHeads * spec.featureDim();
    View qView = new View(spec.dtype(), queryHeads, d, q);
    View kView = new View(spec.dtype(), keyHeads, d, k);
    View vView = new View(spec.dtype(), keyHeads, d, v);
    View yView = new View(spec.dtype(), queryHeads, d, null);
    StateView initial = null;
    if (initialSums != null) {
      initial = new StateView(floats(initialSums), keySums(initialKeySums), null);
    }
    StateView last = null;
    if (finalState) {
      float[] filled = new float[states * d];
      java.util.Arrays.fill(filled, Float.NaN);
      last =
          initial != null
              ? initial
              : new StateView(floats(filled), keySums(new float[states]), null);
    }
    program.forward(
        new ForwardProblem(
            spec,
            batch,
            tokens,
            queryHeads,
            keyHeads,
            scale,
            chunked,
            qView.view,
            kView.view,
            vView.view,
            logG == null ? null : new View(DType.FP32, keyHeads, 1, logG).view,
            yView.view,
            initial,
            last,
            null,
            null,
            0));
    return new Result(
        yView.values(),
        last == null ? new float[0] : floats(last.sums()),
        last == null || last.keySums() == null ? new float[0] : floats(last.keySums()));
  }

  private @Nullable Memory keySums(float @Nullable [] values) {
    return spec.normalized() && values != null ? floats(values) : null;
  }

  static Memory floats(float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(values);
    Memory memory = new CpuBackend().allocate(bytes.capacity());
    memory.write(0, bytes);
    return memory;
  }

  static float[] floats(Memory memory) {
    ByteBuffer bytes = ByteBuffer.allocate((int) memory.bytes()).order(ByteOrder.nativeOrder());
    memory.read(0, bytes);
    float[] values = new float[bytes.capacity() / 4];
    bytes.flip().asFloatBuffer().get(values);
    return values;
  }

  /** A tensor of this case in memory, with the case's padding between its vectors. */
  final class View {
    private final int heads;
    private final int length;
    private final Memory memory;
    final TensorView view;

    View(DType dtype, int heads, int length, float @Nullable [] values) {
      this.heads = heads;
      this.length = length;
      int headStride = length + padding;
      int tokenStride = heads * headStride + 3 * padding;
      int batchStride = tokens * tokenStride + 5 * padding;
      this.memory =
          new CpuBackend().allocate((long) (padding + batch * batchStride) * dtype.bytes());
      this.view = new TensorView(memory, padding, dtype, batchStride, tokenStride, headStride);
      each(
          (at, i) -> {
            float value = values == null ? Float.NaN : values[i];
            ByteBuffer element = ByteBuffer.allocate(dtype.bytes()).order(ByteOrder.nativeOrder());
            switch (dtype) {
              case FP32 -> element.putFloat(0, value);
              case BF16 -> element.putShort(0, HalfFloats.toBf16(value));
              default -> element.putShort(0, HalfFloats.toFp16(value));
            }
            memory.write((long) at * dtype.bytes(), element);
          });
    }

    float[] values() {
      float[] values = new float[batch * tokens * heads * length];
      ByteBuffer all = ByteBuffer.allocate((int) memory.bytes()).order(ByteOrder.nativeOrder());
      memory.read(0, all);
      each(
          (at, i) ->
              values[i] =
                  switch (view.dtype()) {
                    case FP32 -> all.getFloat(at * 4);
                    case BF16 -> HalfFloats.fromBf16(all.getShort(at * 2));
                    default -> HalfFloats.fromFp16(all.getShort(at * 2));
                  });
      return values;
    }

    private void each(Element element) {
      int i = 0;
      for (int b = 0; b < batch; b++) {
        for (int t = 0; t < tokens; t++) {
          for (int h = 0; h < heads; h++) {
            for (int c = 0; c < length; c++) {
              element.at(
                  (int)
                      (view.offset()
                          + b * view.batchStride()
                          + t * view.tokenStride()
                          + h * view.headStride()
                          + c),
                  i++);
            }
          }
        }
      }
    }
  }

  private interface Element {
    void at(int position, int index);
  }
}
