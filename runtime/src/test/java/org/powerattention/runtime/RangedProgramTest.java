package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;
import org.powerattention.runtime.events.Ranges;

/** Ranges around what is launched on a GPU. */
final class RangedProgramTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);

  private final FakeCuda cuda = new FakeCuda();

  /** Ranges at their places among the driver's calls. */
  private final Ranges ranges =
      new Ranges() {
        @Override
        public void push(String name) {
          cuda.calls.add("push " + name);
        }

        @Override
        public void pop() {
          cuda.calls.add("pop");
        }
      };

  private PowerAttentionOperator load(Accelerator device) {
    return PowerAttentionOperator.load(
        device, FakeCuda.program("Layer", SPEC), ranges, System::nanoTime);
  }

  /** Returns ranges and launches, in order, several launches in a row as one. */
  private List<String> launched() {
    List<String> calls =
        cuda.calls.stream()
            .filter(call -> call.matches("push .*|pop|cuLaunchKernel|cuGraphLaunch"))
            .toList();
    return Stream.iterate(0, i -> i < calls.size(), i -> i + 1)
        .filter(i -> i == 0 || !calls.get(i).equals(calls.get(i - 1)))
        .map(calls::get)
        .toList();
  }

  @Test
  void launchesLieWithinARangeThatNamesCallAndOperator() {
    try (Accelerator device = new Accelerator(cuda.open());
        PowerAttentionOperator operator = load(device);
        Tensor x = device.zeros(DType.BF16, 1, 100, 1, 16);
        Tensor logG = device.zeros(DType.FP32, 1, 100, 1);
        Tensor y = operator.forward(x, x, x, logG, ForwardOptions.defaults());
        Gradients gradients = operator.backward(x, x, x, logG, y, BackwardOptions.defaults());
        State state = operator.newState(1, 1)) {
      operator.prefill(state, x, x, x, logG, ServeOptions.defaults()).close();
      Tensor x1 = x.slice(1, 0, 1);
      Tensor logG1 = logG.slice(1, 0, 1);
      try (Tensor y1 = operator.decode(state, x1, x1, x1, logG1, ServeOptions.defaults());
          DecodeStep step =
              operator.captureDecode(y1, state, x1, x1, x1, logG1, ServeOptions.defaults())) {
        step.launch();
      }
      operator.forward(x, x, x, logG, ForwardOptions.defaults().initialState(state)).close();
    }
    assertThat(launched())
        .containsExactly(
            "push forward Layer",
            "cuLaunchKernel",
            "pop",
            "push backward Layer",
            "cuLaunchKernel",
            "pop",
            "push prefill Layer",
            "cuLaunchKernel",
            "pop",
            "push decode Layer",
            "cuLaunchKernel",
            "pop",
            "cuLaunchKernel", // recorded, not launched
            "push captured decode Layer",
            "cuGraphLaunch",
            "pop",
            "push fold Layer",
            "cuLaunchKernel",
            "pop",
            "push forward Layer",
            "cuLaunchKernel",
            "pop")
        .inOrder();
  }

  @Test
  void aRangeEndsThoughTheCallFails() {
    try (Accelerator device = new Accelerator(cuda.open());
        PowerAttentionOperator operator = load(device);
        Tensor x = device.zeros(DType.BF16, 1, 100, 1, 16);
        Tensor logG = device.zeros(DType.FP32, 1, 100, 1)) {
      cuda.failures.put("cuLaunchKernel", 1);
      assertThrows(
          DeviceException.class, () -> operator.forward(x, x, x, logG, ForwardOptions.defaults()));
    }
    assertThat(launched()).containsExactly("push forward Layer", "cuLaunchKernel", "pop").inOrder();
  }
}
