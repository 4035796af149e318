package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.PowerAttentionOperator;
import org.powerattention.runtime.Tensor;

/** What a program does not load that neither records nor logs: it took most of its start. */
final class StartTest {
  @Test
  void aFirstCallStartsNeitherTheFlightRecorderNorLogging() throws Exception {
    String loaded = JavaProcess.start("", List.of("-Xlog:class+load"), FirstCall.class).finish();
    assertThat(loaded).contains("org.powerattention.runtime.cpu.ForwardWalk ");
    assertThat(loaded).doesNotContain("jdk.jfr.internal.");
    assertThat(loaded).doesNotContain("jdk.internal.logger.");
    assertThat(loaded).doesNotContain("jcuda.");
  }

  /** A forward call on the CPU. */
  static final class FirstCall {
    public static void main(String[] arguments) {
      KernelSpec spec = new KernelSpec(2, 16, 64, DType.BF16, false, true);
      try (Accelerator cpu = Accelerator.cpu();
          PowerAttentionOperator operator =
              PowerAttentionOperator.load(cpu, FakeCuda.program("Layer", spec));
          Tensor x = cpu.tensor(DType.BF16, new float[100 * 16], 1, 100, 1, 16);
          Tensor y = operator.forward(x, x, x, null, ForwardOptions.defaults())) {
        y.toFloats();
      }
    }
  }
}
