package org.powerattention.annotations;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Repeatable;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Asks for a power attention operator: CUDA kernels specialised to the values given here, and a
 * typed launcher class beside the annotated type.
 *
 * <p>The operator computes, for queries {@code q [b, t, hq, d]}, keys and values {@code k, v [b, t,
 * h, d]} and log gates {@code logG [b, t, h]},
 *
 * <pre>
 *   G_i  = sum_{m &lt;= i} logG_m
 *   w_ij = (scale * &lt;q_i, k_j&gt;)^degree * exp(G_i - G_j),   j &lt;= i
 *   y_i  = sum_j w_ij v_j / sum_j w_ij
 * </pre>
 *
 * (Gelada, Buckman, Zhang, Bach: "Scaling Context Requires Rethinking Attention", arXiv
 * 2507.04239.) The launcher for a type {@code ContextLayer} is called {@code ContextLayerLauncher};
 * for a nested type {@code Model.Layer}, {@code Model_LayerLauncher}; a {@link #name} replaces all
 * of it but the suffix.
 *
 * <pre>{@code
 * @PowerAttention(degree = 2, headDim = 64, chunk = 1024)
 * public interface ContextLayer {}
 * }</pre>
 */
@Documented
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
@Repeatable(PowerAttention.Declarations.class)
public @interface PowerAttention {
  /** Value of {@link #chunk} that leaves the choice to {@link KernelSpec#recommendedChunk}. */
  int AUTOMATIC = 0;

  /** The power p of the inner product, 1 to 4. An odd degree needs {@code normalized = false}. */
  int degree();

  /** Size d of a head of q, k and v: 16 to 128 in steps of 16. */
  int headDim();

  /**
   * Tokens per chunk of the chunked form: a multiple of 64 up to 65,536. Left out, the cost model
   * chooses ({@link KernelSpec#recommendedChunk}).
   */
  int chunk() default AUTOMATIC;

  /** Element type of q, k, v and y. */
  DType dtype() default DType.BF16;

  /** Whether the operator takes log gates. Without, every gate is 1. */
  boolean gated() default true;

  /**
   * Whether y is divided by the sum of the weights. Needs an even degree, for which weights cannot
   * be negative.
   */
  boolean normalized() default true;

  /**
   * Name of the operator: the launcher is called {@code <name>Launcher}. Needed when a type carries
   * several declarations. A simple Java identifier.
   */
  String name() default "";

  /** Container of several declarations on one type. */
  @Documented
  @Retention(RetentionPolicy.CLASS)
  @Target(ElementType.TYPE)
  @interface Declarations {
    /** The declarations, in source order. */
    PowerAttention[] value();
  }
}
