package org.powerattention.runtime;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.CudaDiagnosis;
import org.powerattention.runtime.spi.Version;

/**
 * A program that prints what the library finds on a machine, tests each device and says what to
 * fix:
 *
 * <pre>{@code
 * java -cp <the application's class path> org.powerattention.runtime.Doctor
 * }</pre>
 *
 * <p>It exits with 0 if a GPU and the CPU work, else with 1.
 */
public final class Doctor {
  private static final int TOKENS = 100;
  private static final double TOLERANCE = 1e-5;

  private final PrintStream out;
  private final List<String> fixes = new ArrayList<>();

  private Doctor(PrintStream out) {
    this.out = out;
  }

  /** Runs it; arguments are ignored. */
  public static void main(String[] arguments) {
    System.exit(run(System.out));
  }

  /** Prints the findings and returns the exit status. */
  static int run(PrintStream out) {
    return new Doctor(out).examine();
  }

  private int examine() {
    found("library", Version.VERSION);
    found(
        "Java",
        System.getProperty("java.version")
            + ", "
            + System.getProperty("os.name")
            + " "
            + System.getProperty("os.arch"));
    cpu();
    CudaDiagnosis.run(this::found, fixes::add);
    if (fixes.isEmpty()) {
      out.println("All is well.");
      return 0;
    }
    out.println();
    out.println("To fix:");
    fixes.forEach(fix -> out.println("- " + fix.replace("\n", "\n  ")));
    return 1;
  }

  private void found(String subject, String what) {
    out.printf(Locale.ROOT, "%-8s %s%n", subject, what);
  }

  private void cpu() {
    long start = System.nanoTime();
    double error = cpuError();
    String measured =
        String.format(
            Locale.ROOT,
            "relative error %.1e, %d ms, %d threads",
            error,
            (System.nanoTime() - start) / 1_000_000,
            Runtime.getRuntime().availableProcessors());
    if (error < TOLERANCE) {
      found("CPU", "self-test passed: " + measured);
    } else {
      found("CPU", "SELF-TEST FAILED: " + measured);
      fixes.add("The CPU computes wrong numbers: try another JDK, and check the memory.");
    }
  }

  /** Returns the error of a call in chunked form against the formula in double precision. */
  private static double cpuError() {
    KernelSpec spec = new KernelSpec(2, 16, 64, DType.FP32, false, true);
    int d = spec.headDim();
    Random random = new Random(1);
    float[] q = gaussian(random, TOKENS * d);
    float[] k = gaussian(random, TOKENS * d);
    float[] v = gaussian(random, TOKENS * d);
    float[] y;
    KernelProgram program =
        new KernelProgram("Doctor", spec, Doctor.class, List.of(), List.of(), List.of());
    try (Accelerator cpu = Accelerator.cpu();
        PowerAttentionOperator operator = PowerAttentionOperator.load(cpu, program);
        Tensor queries = cpu.tensor(DType.FP32, q, 1, TOKENS, 1, d);
        Tensor keys = cpu.tensor(DType.FP32, k, 1, TOKENS, 1, d);
        Tensor values = cpu.tensor(DType.FP32, v, 1, TOKENS, 1, d);
        Tensor result =
            operator.forward(
                queries, keys, values, null, ForwardOptions.defaults().form(Form.CHUNKED))) {
      y = result.toFloats();
    }
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < TOKENS; i++) {
      double[] row = row(q, k, v, i, d);
      for (int c = 0; c < d; c++) {
        difference += Math.pow(y[i * d + c] - row[c], 2);
        norm += Math.pow(row[c], 2);
      }
    }
    return Math.sqrt(difference / norm);
  }

  /** Returns {@code y_i = sum_j w_ij v_j / sum_j w_ij}, {@code w_ij = <q_i, k_j>^2}. */
  private static double[] row(float[] q, float[] k, float[] v, int i, int d) {
    double[] row = new double[d];
    double sum = 0;
    for (int j = 0; j <= i; j++) {
      double score = 0;
      for (int c = 0; c < d; c++) {
        score += (double) q[i * d + c] * k[j * d + c];
      }
      sum += score * score;
      for (int c = 0; c < d; c++) {
        row[c] += score * score * v[j * d + c];
      }
    }
    for (int c = 0; c < d; c++) {
      row[c] /= sum;
    }
    return row;
  }

  private static float[] gaussian(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
