import java.util.List;
import javax.annotation.processing.Generated;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.KernelImage;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.PowerAttentionOperator;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * Power attention of degree 1 on heads of 32 numbers in FP32, not gated, not normalised. Declared
 * on {@code Model.Layer}.
 *
 * <pre>
 *   w_ij = scale * &lt;q_i, k_j&gt;,   j &lt;= i
 *   y_i  = sum_j w_ij v_j
 * </pre>
 *
 * <p>(arXiv 2507.04239.) q and y are [b, t, hq, 32], k and v [b, t, h, 32], in FP32. Query head r
 * reads key/value head r / (hq / h). The scale is 1/sqrt(32) unless given. Sums are kept in fp32.
 *
 * <ul>
 *   <li>Features of a key: D = 32
 *   <li>State of a key/value head: 4.0 KiB, whatever the context length
 *   <li>Attention form: 64 FLOPs per token and head for each token of context
 *   <li>Chunked form: 12,288 FLOPs per token and head, in chunks of 128 tokens
 *   <li>The chunked form takes fewer FLOPs from 193 tokens on
 * </ul>
 *
 * <p>Safe for many threads.
 */
@Generated("org.powerattention.processor.PowerAttentionProcessor")
final class Model_LayerLauncher implements AutoCloseable {
  /** What was declared, with every value resolved. */
  public static final KernelSpec SPEC = new KernelSpec(1, 32, 128, DType.FP32, false, false);

  private static final KernelProgram PROGRAM =
      new KernelProgram(
          "Model_Layer",
          SPEC,
          Model_LayerLauncher.class,
          /* forward= */ List.of(
              new KernelImage<>(
                  "sm_80",
                  "/META-INF/powerattention/Model_LayerLauncher.sm_80.cu",
                  new ForwardTiling(
                      /* outputRows= */ 64,
                      /* outputThreads= */ 256,
                      /* outputSharedBytes= */ 27904,
                      /* stateFeatures= */ 64,
                      /* stateThreads= */ 256,
                      /* stateSharedBytes= */ 17024,
                      /* snapshotBytes= */ 4096L)),
              new KernelImage<>(
                  "sm_90a",
                  "/META-INF/powerattention/Model_LayerLauncher.sm_90a.cu",
                  new ForwardTiling(
                      /* outputRows= */ 64,
                      /* outputThreads= */ 256,
                      /* outputSharedBytes= */ 27904,
                      /* stateFeatures= */ 64,
                      /* stateThreads= */ 256,
                      /* stateSharedBytes= */ 17024,
                      /* snapshotBytes= */ 4096L))),
          /* backward= */ List.of(),
          /* serving= */ List.of());

  private final PowerAttentionOperator operator;

  private Model_LayerLauncher(PowerAttentionOperator operator) {
    this.operator = operator;
  }

  /**
   * Loads the operator on a device. For CUDA, its kernels are compiled the first time and kept in a
   * cache on disk.
   *
   * @param accelerator the device, to be closed after the launcher
   */
  public static Model_LayerLauncher on(Accelerator accelerator) {
    return new Model_LayerLauncher(PowerAttentionOperator.load(accelerator, PROGRAM));
  }

  /**
   * Computes y into a new contiguous tensor, with the default options.
   *
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @return y [b, t, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor forward(Tensor q, Tensor k, Tensor v) {
    return forward(q, k, v, ForwardOptions.defaults());
  }

  /**
   * Computes y into a new contiguous tensor.
   *
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param options form, scale, states and stream
   * @return y [b, t, hq, 32], FP32, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor forward(Tensor q, Tensor k, Tensor v, ForwardOptions options) {
    return operator.forward(q, k, v, null, options);
  }

  /**
   * Computes y into a given tensor.
   *
   * @param y outputs [b, t, hq, 32], FP32; overlaps no input
   * @param q queries [b, t, hq, 32], FP32
   * @param k keys [b, t, h, 32], FP32; h divides hq
   * @param v values [b, t, h, 32], FP32
   * @param options form, scale, states and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public void forwardInto(Tensor y, Tensor q, Tensor k, Tensor v, ForwardOptions options) {
    operator.forwardInto(y, q, k, v, null, options);
  }

  /**
   * Computes y over contiguous device memory of the caller's; CUDA only. Copies nothing.
   *
   * @param q address of queries [b, t, hq, 32], FP32
   * @param k address of keys [b, t, h, 32], FP32; h divides hq
   * @param v address of values [b, t, h, 32], FP32
   * @param y address of outputs [b, t, hq, 32], FP32; overlaps no input
   * @param batch sequences b
   * @param tokens tokens t of each
   * @param queryHeads query heads hq, a multiple of {@code keyHeads}
   * @param keyHeads key/value heads h
   * @param options form, scale, states and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   * @throws UnsupportedOperationException on the CPU
   */
  public void forward(
      long q,
      long k,
      long v,
      long y,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      ForwardOptions options) {
    operator.forward(q, k, v, 0L, y, batch, tokens, queryHeads, keyHeads, options);
  }

  /**
   * Returns a state of zeros, to be an initial or final state of calls.
   *
   * @param batch sequences b
   * @param keyHeads key/value heads h
   * @return the state, to be closed
   * @throws IllegalArgumentException if a size is not positive
   */
  public State newState(int batch, int keyHeads) {
    return operator.newState(batch, keyHeads);
  }

  /** Unloads the operator. Closing again does nothing. */
  @Override
  public void close() {
    operator.close();
  }
}
