package org.powerattention.kernels.accuracy;

import java.util.stream.IntStream;
import org.powerattention.annotations.KernelSpec;

/**
 * The defining formulas differentiated by hand, term by term in fp64: with {@code a_ij} the
 * gradient of {@code w_ij},
 *
 * <pre>
 *   a_ij = (dy_i v_j - dy_i y_i) / sum_j w_ij, or dy_i v_j;   dv_j = sum_i w_ij dy_i / sum_j w_ij
 *   dq_i = sum_j a_ij w_ij p / &lt;q_i, k_j&gt; k_j;                 dk_j likewise
 *   dG_i = sum_j a_ij w_ij - sum_m a_mi w_mi;                 dlogG = dG summed from the end
 * </pre>
 *
 * <p>Beside the gradients of queries and keys stands what their terms would sum to if none
 * cancelled: the scale on which rounding errors are judged where a gradient vanishes.
 */
final class GradientReference {
  private final KernelSpec spec;
  private final Sequences sequences;
  private final float[] dY;
  private final double scale;
  final double[] dQ;
  final double[] dK;
  final double[] dV;
  final double[] dLogG;
  final double[] queryTerms;
  final double[] keyTerms;

  /** Takes the inputs as the operator sees them, rounded to its dtype. */
  GradientReference(KernelSpec spec, Sequences sequences, float[] dY) {
    this.spec = spec;
    this.sequences = sequences;
    this.dY = dY;
    this.scale = 1 / Math.sqrt(spec.headDim());
    dQ = new double[sequences.q().length];
    dK = new double[sequences.k().length];
    dV = new double[sequences.v().length];
    dLogG = new double[sequences.logG().length];
    queryTerms = new double[dQ.length];
    keyTerms = new double[dK.length];
    IntStream.range(0, sequences.batch() * sequences.keyHeads()).parallel().forEach(this::head);
  }

  private void head(int index) {
    int b = index / sequences.keyHeads();
    int h = index % sequences.keyHeads();
    int group = sequences.queryHeads() / sequences.keyHeads();
    double[] g = sequences.gateSums(b, h);
    double[] dG = new double[sequences.tokens()];
    for (int r = h * group; r < (h + 1) * group; r++) {
      for (int i = 0; i < sequences.tokens(); i++) {
        row(b, h, sequences.queryRow(b, i, r), i, g, dG);
      }
    }
    double sum = 0;
    for (int i = sequences.tokens() - 1; i >= 0; i--) {
      sum += dG[i];
      dLogG[(b * sequences.tokens() + i) * sequences.keyHeads() + h] = sum;
    }
  }

  private void row(int b, int h, int query, int i, double[] g, double[] dG) {
    int d = spec.headDim();
    double[] scores = new double[i + 1];
    double[] products = new double[i + 1];
    double sum = 0;
    double weighted = 0;
    for (int j = 0; j <= i; j++) {
      int key = sequences.keyRow(b, j, h);
      for (int c = 0; c < d; c++) {
        scores[j] += (double) sequences.q()[query + c] * sequences.k()[key + c];
        products[j] += (double) dY[query + c] * sequences.v()[key + c];
      }
      scores[j] *= scale;
      double weight = power(scores[j], spec.degree()) * Math.exp(g[i] - g[j]);
      sum += weight;
      weighted += weight * products[j];
    }
    boolean normalized = spec.normalized();
    double reciprocal = !normalized ? 1 : sum == 0 ? 0 : 1 / sum;
    double delta = normalized ? weighted * reciprocal : 0;
    for (int j = 0; j <= i; j++) {
      int key = sequences.keyRow(b, j, h);
      double decay = Math.exp(g[i] - g[j]) * reciprocal;
      double weight = power(scores[j], spec.degree()) * decay;
      double slope = spec.degree() * power(scores[j], spec.degree() - 1) * decay * scale;
      double pair = (products[j] - delta) * weight;
      dG[i] += pair;
      dG[j] -= pair;
      double ds = (products[j] - delta) * slope;
      double term = (Math.abs(products[j]) + Math.abs(delta)) * Math.abs(slope);
      for (int c = 0; c < d; c++) {
        double q = sequences.q()[query + c];
        double k = sequences.k()[key + c];
        dQ[query + c] += ds * k;
        dK[key + c] += ds * q;
        dV[key + c] += weight * dY[query + c];
        queryTerms[query + c] += term * Math.abs(k);
        keyTerms[key + c] += term * Math.abs(q);
      }
    }
  }

  private static double power(double base, int exponent) {
    double result = 1;
    for (int n = 0; n < exponent; n++) {
      result *= base;
    }
    return result;
  }
}
