/**
 * Power attention operators that people commonly need, built: with this jar on the class path or
 * module path, no annotation processor has to run.
 *
 * <pre>{@code
 * try (Accelerator device = Accelerator.best();
 *     Power2Dim64Launcher attention = Power2Dim64Launcher.on(device)) {
 *   Tensor y = attention.forward(q, k, v, logG);
 * }
 * }</pre>
 *
 * <p>A launcher's name says what differs from the usual, in this order: {@code Power<degree>},
 * {@code Dim<headDim>}, the dtype unless it is BF16 ({@code Fp16}, {@code Fp32}), {@code Ungated}
 * unless it takes log gates, {@code Launcher}. Even degrees are normalised, odd ones cannot be. The
 * chunk is the one that {@link org.powerattention.annotations.KernelSpec#recommendedChunk}
 * recommends.
 *
 * <table>
 * <caption>The operators; D is the number of features, the state is one key/value head's</caption>
 * <thead><tr><th>launcher</th><th>degree</th><th>headDim</th><th>dtype</th><th>gated</th><th>normalised</th><th>D</th><th>state</th></tr></thead>
 * <tbody>
 * <tr><td>{@link Power1Dim32Launcher}</td><td>1</td><td>32</td><td>BF16</td><td>yes</td><td>no</td><td>32</td><td>4.0 KiB</td></tr>
 * <tr><td>{@link Power1Dim64Launcher}</td><td>1</td><td>64</td><td>BF16</td><td>yes</td><td>no</td><td>64</td><td>16 KiB</td></tr>
 * <tr><td>{@link Power1Dim128Launcher}</td><td>1</td><td>128</td><td>BF16</td><td>yes</td><td>no</td><td>128</td><td>64 KiB</td></tr>
 * <tr><td>{@link Power2Dim32Launcher}</td><td>2</td><td>32</td><td>BF16</td><td>yes</td><td>yes</td><td>640</td><td>82 KiB</td></tr>
 * <tr><td>{@link Power2Dim64Launcher}</td><td>2</td><td>64</td><td>BF16</td><td>yes</td><td>yes</td><td>2,304</td><td>585 KiB</td></tr>
 * <tr><td>{@link Power2Dim128Launcher}</td><td>2</td><td>128</td><td>BF16</td><td>yes</td><td>yes</td><td>8,704</td><td>4.3 MiB</td></tr>
 * <tr><td>{@link Power3Dim32Launcher}</td><td>3</td><td>32</td><td>BF16</td><td>yes</td><td>no</td><td>7,680</td><td>960 KiB</td></tr>
 * <tr><td>{@link Power3Dim64Launcher}</td><td>3</td><td>64</td><td>BF16</td><td>yes</td><td>no</td><td>52,224</td><td>13 MiB</td></tr>
 * <tr><td>{@link Power3Dim128Launcher}</td><td>3</td><td>128</td><td>BF16</td><td>yes</td><td>no</td><td>382,976</td><td>187 MiB</td></tr>
 * <tr><td>{@link Power4Dim32Launcher}</td><td>4</td><td>32</td><td>BF16</td><td>yes</td><td>yes</td><td>62,016</td><td>7.8 MiB</td></tr>
 * <tr><td>{@link Power4Dim64Launcher}</td><td>4</td><td>64</td><td>BF16</td><td>yes</td><td>yes</td><td>837,760</td><td>208 MiB</td></tr>
 * <tr><td>{@link Power2Dim64Fp16Launcher}</td><td>2</td><td>64</td><td>FP16</td><td>yes</td><td>yes</td><td>2,304</td><td>585 KiB</td></tr>
 * <tr><td>{@link Power2Dim128Fp16Launcher}</td><td>2</td><td>128</td><td>FP16</td><td>yes</td><td>yes</td><td>8,704</td><td>4.3 MiB</td></tr>
 * <tr><td>{@link Power2Dim64Fp32Launcher}</td><td>2</td><td>64</td><td>FP32</td><td>yes</td><td>yes</td><td>2,304</td><td>585 KiB</td></tr>
 * <tr><td>{@link Power2Dim128Fp32Launcher}</td><td>2</td><td>128</td><td>FP32</td><td>yes</td><td>yes</td><td>8,704</td><td>4.3 MiB</td></tr>
 * <tr><td>{@link Power2Dim64UngatedLauncher}</td><td>2</td><td>64</td><td>BF16</td><td>no</td><td>yes</td><td>2,304</td><td>585 KiB</td></tr>
 * <tr><td>{@link Power2Dim128UngatedLauncher}</td><td>2</td><td>128</td><td>BF16</td><td>no</td><td>yes</td><td>8,704</td><td>4.3 MiB</td></tr>
 * </tbody>
 * </table>
 *
 * <p>In BF16 there is every degree at head sizes 32, 64 and 128 but for degree 4 at 128: its state
 * of 5.9 GiB per head exceeds {@link org.powerattention.annotations.KernelSpec#MAX_STATE_BYTES}.
 * The other dtypes, and going without gates, are there for degree 2, which is the one in common
 * use. Any other operator is one {@link org.powerattention.annotations.PowerAttention} declaration
 * in a project of one's own.
 */
@NullMarked
package org.powerattention.kernels;

import org.jspecify.annotations.NullMarked;
