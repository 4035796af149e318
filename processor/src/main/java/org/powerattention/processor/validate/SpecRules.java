package org.powerattention.processor.validate;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.annotations.PowerAttention;
import org.powerattention.processor.read.Declaration;

/** The rules of {@link KernelSpec}, each reported on its own. */
final class SpecRules {
  private final Reporter reporter;

  SpecRules(Reporter reporter) {
    this.reporter = reporter;
  }

  /** Reports what is wrong with a declaration's numbers; returns whether nothing is. */
  boolean check(Declaration declaration) {
    boolean degree = checkDegree(declaration);
    boolean headDim = checkHeadDim(declaration);
    boolean chunk = checkChunk(declaration);
    // The size of a state is defined by a degree and a head size that are themselves allowed.
    boolean state = !degree || !headDim || checkState(declaration);
    boolean normalized = !degree || checkNormalized(declaration);
    return degree && headDim && chunk && state && normalized;
  }

  private boolean checkDegree(Declaration declaration) {
    int degree = declaration.degree();
    if (degree >= KernelSpec.MIN_DEGREE && degree <= KernelSpec.MAX_DEGREE) {
      return true;
    }
    reporter.reportValue("degree", declaration, Problem.DEGREE, degree);
    return false;
  }

  private boolean checkHeadDim(Declaration declaration) {
    int headDim = declaration.headDim();
    int step = KernelSpec.HEAD_DIM_STEP;
    if (isStep(headDim, step, KernelSpec.MAX_HEAD_DIM)) {
      return true;
    }
    String nearest = nearestSteps(headDim, step, KernelSpec.MAX_HEAD_DIM);
    reporter.reportValue("headDim", declaration, Problem.HEAD_DIM, headDim, nearest);
    return false;
  }

  private boolean checkChunk(Declaration declaration) {
    int chunk = declaration.chunk();
    int step = KernelSpec.CHUNK_STEP;
    if (chunk == PowerAttention.AUTOMATIC || isStep(chunk, step, KernelSpec.MAX_CHUNK)) {
      return true;
    }
    String nearest = nearestSteps(chunk, step, KernelSpec.MAX_CHUNK);
    reporter.reportValue("chunk", declaration, Problem.CHUNK, chunk, nearest);
    return false;
  }

  private boolean checkNormalized(Declaration declaration) {
    if (!declaration.normalized() || declaration.degree() % 2 == 0) {
      return true;
    }
    reporter.reportValue(
        "normalized", declaration, Problem.ODD_DEGREE_NORMALIZED, declaration.degree());
    return false;
  }

  private boolean checkState(Declaration declaration) {
    int degree = declaration.degree();
    int headDim = declaration.headDim();
    long bytes = KernelSpec.stateBytes(degree, headDim, declaration.normalized());
    if (bytes <= KernelSpec.MAX_STATE_BYTES) {
      return true;
    }
    reporter.reportValue(
        "headDim",
        declaration,
        Problem.STATE_TOO_LARGE,
        degree,
        headDim,
        gibibytes(bytes),
        gibibytes(KernelSpec.MAX_STATE_BYTES),
        String.join(", or ", nearestStates(declaration)));
    return false;
  }

  /** The largest head at this degree and the largest degree at this head size, in words. */
  private static List<String> nearestStates(Declaration declaration) {
    int degree = declaration.degree();
    int headDim = declaration.headDim();
    boolean normalized = declaration.normalized();
    List<String> nearest = new ArrayList<>();
    for (int d = headDim - KernelSpec.HEAD_DIM_STEP;
        d >= KernelSpec.HEAD_DIM_STEP;
        d -= KernelSpec.HEAD_DIM_STEP) {
      if (KernelSpec.stateBytes(degree, d, normalized) <= KernelSpec.MAX_STATE_BYTES) {
        nearest.add(state(degree, d, normalized, ""));
        break;
      }
    }
    for (int p = degree - 1; p >= KernelSpec.MIN_DEGREE; p--) {
      boolean oddButNormalized = normalized && p % 2 != 0;
      boolean sum = normalized && !oddButNormalized;
      if (KernelSpec.stateBytes(p, headDim, sum) <= KernelSpec.MAX_STATE_BYTES) {
        nearest.add(state(p, headDim, sum, oddButNormalized ? " and normalized = false" : ""));
        if (!oddButNormalized) {
          break;
        }
      }
    }
    return nearest;
  }

  private static String state(int degree, int headDim, boolean normalized, String condition) {
    return String.format(
        Locale.ROOT,
        "degree = %d with headDim = %d%s (%s)",
        degree,
        headDim,
        condition,
        gibibytes(KernelSpec.stateBytes(degree, headDim, normalized)));
  }

  private static String gibibytes(long bytes) {
    return String.format(Locale.ROOT, "%.3f GiB", bytes / (double) (1L << 30));
  }

  private static boolean isStep(int value, int step, int greatest) {
    return value >= step && value <= greatest && value % step == 0;
  }

  private static String nearestSteps(int value, int step, int greatest) {
    if (value < step) {
      return Integer.toString(step);
    }
    if (value > greatest) {
      return Integer.toString(greatest);
    }
    int below = value / step * step;
    return below + " or " + (below + step);
  }
}
