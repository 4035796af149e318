package org.powerattention.runtime;

import java.util.Arrays;
import java.util.List;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/** A fake device with two operators, and arguments that fit the gated one's calls. */
final class OperatorFixture implements AutoCloseable {
  static final KernelSpec GATED = new KernelSpec(2, 16, 64, DType.BF16, true, true);
  static final KernelSpec UNGATED = new KernelSpec(3, 16, 128, DType.FP32, false, false);

  final FakeBackend backend;
  final Accelerator device;
  final PowerAttentionOperator gated;
  final PowerAttentionOperator ungated;

  /** [2, 10, heads, 16] with 6 query and 3 key/value heads. */
  final Tensor q;

  final Tensor k;
  final Tensor v;
  final Tensor logG;
  final Tensor dY;

  /** A state that fits both; held here, so that it cannot be lost while a test counts blocks. */
  final State state;

  /** One token of each of two sequences. */
  final Tensor q1;

  final Tensor k1;
  final Tensor v1;
  final Tensor logG1;

  OperatorFixture(boolean cuda) {
    backend = new FakeBackend(cuda);
    device = new Accelerator(backend);
    gated = load(device, GATED);
    ungated = load(device, UNGATED);
    q = heads(2, 10, 6);
    k = heads(2, 10, 3);
    v = heads(2, 10, 3);
    dY = heads(2, 10, 6);
    logG = device.zeros(DType.FP32, 2, 10, 3);
    state = gated.newState(2, 3);
    q1 = heads(2, 1, 6);
    k1 = heads(2, 1, 3);
    v1 = heads(2, 1, 3);
    logG1 = device.zeros(DType.FP32, 2, 1, 3);
  }

  /** A new tensor in the gated operator's dtype whose last dimension is a head. */
  Tensor heads(long... sizes) {
    long[] shape = Arrays.copyOf(sizes, sizes.length + 1);
    shape[sizes.length] = 16;
    return device.zeros(DType.BF16, shape);
  }

  static PowerAttentionOperator load(Accelerator device, KernelSpec spec) {
    return PowerAttentionOperator.load(
        device,
        new KernelProgram("Layer", spec, OperatorFixture.class, List.of(), List.of(), List.of()));
  }

  /** Returns the only call that the backend has recorded of a kind. */
  <T> T only(Class<T> kind) {
    List<T> found = backend.calls.stream().filter(kind::isInstance).map(kind::cast).toList();
    if (found.size() != 1) {
      throw new AssertionError(found.size() + " calls of " + kind.getSimpleName());
    }
    return found.get(0);
  }

  @Override
  public void close() {
    device.close();
  }
}
