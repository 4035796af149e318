package org.powerattention.kernels.accuracy;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.kernels.Catalogue;
import org.powerattention.runtime.Accelerator;

/**
 * A generated launcher class. Launchers have no common supertype, so they are reached by
 * reflection: by {@code SPEC} and {@code on}, as {@link LoadedOperator} by the rest.
 *
 * @param name name of the operator
 * @param spec what was declared
 * @param launcher the class
 */
record TestOperator(String name, KernelSpec spec, Class<?> launcher) {
  private static final List<String> VARIANTS =
      List.of(
          "P1D64Ungated",
          "P2D64Ungated",
          "P2D64Unnormalized",
          "P2D80Fp16Bare",
          "P2D48Fp32Ungated",
          "P3D48Ungated",
          "P4D32Unnormalized",
          "P4D16Fp32Unnormalized",
          "P4D32Ungated");

  /** Operators of the catalogue, which have the recommended chunks. */
  private static final List<String> FROM_CATALOGUE =
      List.of("Power1Dim64", "Power2Dim64", "Power2Dim128Fp16", "Power3Dim32", "Power4Dim32");

  /**
   * Returns an operator for every degree, head size and dtype that {@link KernelSpec} accepts, with
   * gates and for even degrees normalised, and some that differ.
   *
   * @throws LinkageError if one is not declared
   */
  static List<TestOperator> all() {
    List<TestOperator> operators = new ArrayList<>();
    for (int degree = KernelSpec.MIN_DEGREE; degree <= KernelSpec.MAX_DEGREE; degree++) {
      boolean normalized = degree % 2 == 0;
      for (int headDim = 16; headDim <= KernelSpec.MAX_HEAD_DIM; headDim += 16) {
        if (KernelSpec.stateBytes(degree, headDim, normalized) > KernelSpec.MAX_STATE_BYTES) {
          continue;
        }
        for (DType dtype : DType.values()) {
          String type = dtype.name().charAt(0) + dtype.name().substring(1).toLowerCase(Locale.ROOT);
          TestOperator operator =
              of(TestOperator.class.getPackageName(), "P" + degree + "D" + headDim + type);
          KernelSpec spec = operator.spec();
          KernelSpec expected =
              new KernelSpec(degree, headDim, spec.chunk(), dtype, true, normalized);
          if (!spec.equals(expected)) {
            throw new AssertionError(operator.name() + " is declared as " + spec);
          }
          operators.add(operator);
        }
      }
    }
    VARIANTS.forEach(name -> operators.add(of(TestOperator.class.getPackageName(), name)));
    FROM_CATALOGUE.forEach(name -> operators.add(of(Catalogue.class.getPackageName(), name)));
    return operators;
  }

  private static TestOperator of(String packageName, String name) {
    try {
      Class<?> launcher = Class.forName(packageName + "." + name + "Launcher");
      return new TestOperator(name, (KernelSpec) launcher.getField("SPEC").get(null), launcher);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("no operator " + name + " is declared in " + packageName, e);
    }
  }

  /** Loads it on a device. */
  LoadedOperator on(Accelerator accelerator) {
    return new LoadedOperator(this, accelerator);
  }

  @Override
  public String toString() {
    return name;
  }
}
