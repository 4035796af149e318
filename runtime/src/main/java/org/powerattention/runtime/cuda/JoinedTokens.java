package org.powerattention.runtime.cuda;

import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.TensorView;

/**
 * Where a prefill call's workspace holds the latest tokens of the windows, followed by those of the
 * call, as tensors {@code [batch, held + tokens, heads, ...]}.
 *
 * @param spec the operator's spec
 * @param tokens tokens of a sequence, held ones and those of the call
 * @param keyHeads key/value heads
 * @param rowsBytes bytes of the keys, and of the values, rounded up
 * @param gateBytes bytes of the log gates
 */
record JoinedTokens(KernelSpec spec, int tokens, int keyHeads, long rowsBytes, long gateBytes) {
  static JoinedTokens of(KernelSpec spec, int batch, int tokens, int keyHeads) {
    long rows = (long) batch * tokens * keyHeads;
    long rowsBytes = rows * spec.headDim() * spec.dtype().bytes();
    return new JoinedTokens(
        spec,
        tokens,
        keyHeads,
        ForwardPlan.align(rowsBytes),
        spec.gated() ? rows * Float.BYTES : 0);
  }

  long valueOffset() {
    return rowsBytes;
  }

  long gateOffset() {
    return 2 * rowsBytes;
  }

  /** Returns the bytes of all of it. */
  long workspaceBytes() {
    return 2 * rowsBytes + gateBytes;
  }

  TensorView keys(Memory workspace) {
    return rows(workspace, 0);
  }

  TensorView values(Memory workspace) {
    return rows(workspace, valueOffset());
  }

  private TensorView rows(Memory workspace, long offset) {
    long tokenStride = (long) keyHeads * spec.headDim();
    return new TensorView(
        workspace,
        offset / spec.dtype().bytes(),
        spec.dtype(),
        tokens * tokenStride,
        tokenStride,
        spec.headDim());
  }

  /** Returns the log gates; null if the spec is not gated. */
  @Nullable TensorView logGates(Memory workspace) {
    return spec.gated()
        ? new TensorView(
            workspace,
            gateOffset() / Float.BYTES,
            DType.FP32,
            (long) tokens * keyHeads,
            keyHeads,
            1)
        : null;
  }
}
