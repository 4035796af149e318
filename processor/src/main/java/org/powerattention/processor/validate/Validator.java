package org.powerattention.processor.validate;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import javax.lang.model.SourceVersion;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.annotations.PowerAttention;
import org.powerattention.processor.read.Declaration;
import org.powerattention.processor.read.Place;

/** Checks declarations, reporting each mistake once, at the value that is wrong. */
public final class Validator {
  private final Reporter reporter;

  /** Creates a validator that reports mistakes to {@code reporter}. */
  public Validator(Reporter reporter) {
    this.reporter = reporter;
  }

  /**
   * A valid declaration's operator.
   *
   * @param operator the operator
   * @param place where its name is decided, for problems with the files named after it
   */
  public record Result(Operator operator, Place place) {}

  /** Returns the operators that the valid ones of a type's declarations denote. */
  public List<Result> validate(List<Declaration> declarations) {
    List<Result> operators = new ArrayList<>();
    Set<String> launchers = new HashSet<>();
    for (Declaration declaration : declarations) {
      boolean valid = checkValues(declaration);
      valid &= checkNames(declaration, launchers);
      if (valid) {
        Operator operator =
            new Operator(
                KernelSpec.of(
                    declaration.degree().value(),
                    declaration.headDim().value(),
                    declaration.chunk().value(),
                    declaration.dtype().value(),
                    declaration.gated().value(),
                    declaration.normalized().value()),
                declaration.packageName(),
                declaration.qualifiedName(),
                launcherName(declaration),
                declaration.isPublic());
        operators.add(new Result(operator, declaration.name().place()));
      }
    }
    return operators;
  }

  private boolean checkValues(Declaration declaration) {
    int degree = declaration.degree().value();
    int headDim = declaration.headDim().value();
    int chunk = declaration.chunk().value();
    boolean degreeFits = degree >= KernelSpec.MIN_DEGREE && degree <= KernelSpec.MAX_DEGREE;
    boolean headDimFits = isMultiple(headDim, KernelSpec.HEAD_DIM_STEP, KernelSpec.MAX_HEAD_DIM);
    boolean valid = degreeFits && headDimFits;
    if (!degreeFits) {
      reporter.report(Diagnostic.DEGREE, declaration.degree().place(), degree);
    }
    if (!headDimFits) {
      reporter.report(
          Diagnostic.HEAD_DIM,
          declaration.headDim().place(),
          headDim,
          nearest(headDim, KernelSpec.HEAD_DIM_STEP, KernelSpec.MAX_HEAD_DIM));
    }
    if (chunk != PowerAttention.AUTOMATIC
        && !isMultiple(chunk, KernelSpec.CHUNK_STEP, KernelSpec.MAX_CHUNK)) {
      valid = false;
      reporter.report(
          Diagnostic.CHUNK,
          declaration.chunk().place(),
          chunk,
          nearest(chunk, KernelSpec.CHUNK_STEP, KernelSpec.MAX_CHUNK));
    }
    boolean normalized = declaration.normalized().value();
    if (degreeFits && degree % 2 != 0 && normalized) {
      valid = false;
      reporter.report(
          Diagnostic.ODD_NORMALIZED,
          declaration.normalized().explicit()
              ? declaration.normalized().place()
              : declaration.degree().place(),
          degree);
    }
    if (degreeFits && headDimFits && !stateFits(degree, headDim, normalized)) {
      valid = false;
      reporter.report(
          Diagnostic.STATE_SIZE,
          declaration.headDim().place(),
          degree,
          headDim,
          inGibibytes(KernelSpec.stateBytes(degree, headDim, normalized)),
          inGibibytes(KernelSpec.MAX_STATE_BYTES),
          largestHeadDim(degree, normalized),
          largestDegree(headDim, normalized));
    }
    return valid;
  }

  private boolean checkNames(Declaration declaration, Set<String> launchers) {
    if (declaration.isPrivate()) {
      reporter.report(Diagnostic.PRIVATE, declaration.place(), declaration.qualifiedName());
      return false;
    }
    String name = declaration.name().value();
    String launcher = launcherName(declaration);
    if (!name.isEmpty() && !SourceVersion.isIdentifier(name)) {
      reporter.report(Diagnostic.NAME, declaration.name().place(), name, name);
      return false;
    }
    if (!launchers.add(launcher)) {
      reporter.report(Diagnostic.DUPLICATE, declaration.name().place(), launcher);
      return false;
    }
    return true;
  }

  private static String launcherName(Declaration declaration) {
    String name = declaration.name().value();
    return Operator.launcherName(name.isEmpty() ? String.join("_", declaration.typeNames()) : name);
  }

  private static boolean isMultiple(int value, int step, int most) {
    return value >= step && value <= most && value % step == 0;
  }

  private static long nearest(int value, int step, int most) {
    return Math.max(step, Math.min(most, Math.round((double) value / step) * step));
  }

  private static boolean stateFits(int degree, int headDim, boolean normalized) {
    return KernelSpec.stateBytes(degree, headDim, normalized) <= KernelSpec.MAX_STATE_BYTES;
  }

  private static int largestHeadDim(int degree, boolean normalized) {
    int headDim = KernelSpec.MAX_HEAD_DIM;
    while (!stateFits(degree, headDim, normalized)) {
      headDim -= KernelSpec.HEAD_DIM_STEP;
    }
    return headDim;
  }

  private static int largestDegree(int headDim, boolean normalized) {
    int degree = KernelSpec.MAX_DEGREE;
    while (!stateFits(degree, headDim, normalized)) {
      degree--;
    }
    return degree;
  }

  private static String inGibibytes(long bytes) {
    return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1 << 30));
  }
}
