package org.powerattention.examples.benchmarks;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Form;

/**
 * What is timed.
 *
 * @param operator the operator
 * @param form the form asked for
 * @param batch sequences b
 * @param tokens tokens per sequence t
 * @param heads query and key/value heads h
 */
record Case(Operator operator, Form form, int batch, int tokens, int heads) {
  KernelSpec spec() {
    return operator.spec();
  }

  /** Returns the FLOPs of the formula in this form, over all tokens and heads. */
  double flops() {
    double perToken =
        form == Form.CHUNKED
            ? spec().chunkedFlopsPerToken()
            : spec().attentionFlopsPerToken(tokens);
    return perToken * batch * heads * tokens;
  }

  /** Returns the shape as the peers' script takes it. */
  Shape shape() {
    return new Shape(batch, tokens, heads, spec().headDim());
  }

  /** Sizes of q, k and v. */
  record Shape(int b, int t, int h, int d) {}
}
