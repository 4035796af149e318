package p;

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
 * Power attention of degree 2 on heads of 64 numbers in BF16, gated, normalised. Declared on {@code
 * p.ContextLayer}.
 *
 * <pre>
 *   G_i  = sum_{m &lt;= i} logG_m
 *   w_ij = (scale * &lt;q_i, k_j&gt;)^2 * exp(G_i - G_j),   j &lt;= i
 *   y_i  = sum_j w_ij v_j / sum_j w_ij
 * </pre>
 *
 * <p>(arXiv 2507.04239.) q and y are [b, t, hq, 64], k and v [b, t, h, 64], in BF16, and logG is
 * [b, t, h], in FP32. Query head r reads key/value head r / (hq / h). The scale is 1/sqrt(64)
 * unless given. Sums are kept in fp32. Where the sum of the weights is 0, y is 0.
 *
 * <ul>
 *   <li>Features of a key: D = 2,304
 *   <li>State of a key/value head: 585.0 KiB, whatever the context length
 *   <li>Attention form: 136 FLOPs per token and head for each token of context
 *   <li>Chunked form: 802,816 FLOPs per token and head, in chunks of 1,024 tokens
 *   <li>The chunked form takes fewer FLOPs from 5,904 tokens on
 * </ul>
 *
 * <p>Safe for many threads.
 */
@Generated("org.powerattention.processor.PowerAttentionProcessor")
public final class ContextLayerLauncher implements AutoCloseable {
  /** What was declared, with every value resolved. */
  public static final KernelSpec SPEC = new KernelSpec(2, 64, 1024, DType.BF16, true, true);

  private static final KernelProgram PROGRAM =
      new KernelProgram(
          "ContextLayer",
          SPEC,
          ContextLayerLauncher.class,
          /* forward= */ List.of(
              new KernelImage<>(
                  "sm_80",
                  "/META-INF/powerattention/p/ContextLayerLauncher.sm_80.cu",
                  new ForwardTiling(
                      /* outputRows= */ 128,
                      /* outputThreads= */ 128,
                      /* outputSharedBytes= */ 55808,
                      /* stateFeatures= */ 256,
                      /* stateThreads= */ 128,
                      /* stateSharedBytes= */ 38400,
                      /* snapshotBytes= */ 299520L)),
              new KernelImage<>(
                  "sm_90a",
                  "/META-INF/powerattention/p/ContextLayerLauncher.sm_90a.cu",
                  new ForwardTiling(
                      /* outputRows= */ 128,
                      /* outputThreads= */ 128,
                      /* outputSharedBytes= */ 55808,
                      /* stateFeatures= */ 256,
                      /* stateThreads= */ 128,
                      /* stateSharedBytes= */ 38400,
                      /* snapshotBytes= */ 299520L))),
          /* backward= */ List.of(),
          /* serving= */ List.of());

  private final PowerAttentionOperator operator;

  private ContextLayerLauncher(PowerAttentionOperator operator) {
    this.operator = operator;
  }

  /**
   * Loads the operator on a device. For CUDA, its kernels are compiled the first time and kept in a
   * cache on disk.
   *
   * @param accelerator the device, to be closed after the launcher
   */
  public static ContextLayerLauncher on(Accelerator accelerator) {
    return new ContextLayerLauncher(PowerAttentionOperator.load(accelerator, PROGRAM));
  }

  /**
   * Computes y into a new contiguous tensor, with the default options.
   *
   * @param q queries [b, t, hq, 64], BF16
   * @param k keys [b, t, h, 64], BF16; h divides hq
   * @param v values [b, t, h, 64], BF16
   * @param logG log gates [b, t, h], FP32, none above 0
   * @return y [b, t, hq, 64], BF16, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor forward(Tensor q, Tensor k, Tensor v, Tensor logG) {
    return forward(q, k, v, logG, ForwardOptions.defaults());
  }

  /**
   * Computes y into a new contiguous tensor.
   *
   * @param q queries [b, t, hq, 64], BF16
   * @param k keys [b, t, h, 64], BF16; h divides hq
   * @param v values [b, t, h, 64], BF16
   * @param logG log gates [b, t, h], FP32, none above 0
   * @param options form, scale, states and stream
   * @return y [b, t, hq, 64], BF16, to be closed
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public Tensor forward(Tensor q, Tensor k, Tensor v, Tensor logG, ForwardOptions options) {
    return operator.forward(q, k, v, logG, options);
  }

  /**
   * Computes y into a given tensor.
   *
   * @param y outputs [b, t, hq, 64], BF16; overlaps no input
   * @param q queries [b, t, hq, 64], BF16
   * @param k keys [b, t, h, 64], BF16; h divides hq
   * @param v values [b, t, h, 64], BF16
   * @param logG log gates [b, t, h], FP32, none above 0
   * @param options form, scale, states and stream
   * @throws IllegalArgumentException if an argument does not fit; nothing was computed then
   * @throws IllegalStateException if the launcher or an argument is closed
   */
  public void forwardInto(
      Tensor y, Tensor q, Tensor k, Tensor v, Tensor logG, ForwardOptions options) {
    operator.forwardInto(y, q, k, v, logG, options);
  }

  /**
   * Computes y over contiguous device memory of the caller's; CUDA only. Copies nothing.
   *
   * @param q address of queries [b, t, hq, 64], BF16
   * @param k address of keys [b, t, h, 64], BF16; h divides hq
   * @param v address of values [b, t, h, 64], BF16
   * @param logG address of log gates [b, t, h], FP32, none above 0
   * @param y address of outputs [b, t, hq, 64], BF16; overlaps no input
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
      long logG,
      long y,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      ForwardOptions options) {
    operator.forward(q, k, v, logG, y, batch, tokens, queryHeads, keyHeads, options);
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
