package org.powerattention.processor.write;

import com.palantir.javapoet.ClassName;
import org.powerattention.processor.plan.Part;

/** Classes that launchers mention and that the processor itself can do without. */
final class RuntimeTypes {
  private static final String PACKAGE = "org.powerattention.runtime";
  private static final String JSPECIFY = "org.jspecify.annotations";

  static final ClassName NULLABLE = ClassName.get(JSPECIFY, "Nullable");
  static final ClassName NULL_MARKED = ClassName.get(JSPECIFY, "NullMarked");

  static final ClassName ACCELERATOR = ClassName.get(PACKAGE, "Accelerator");
  static final ClassName BACKWARD_OPTIONS = ClassName.get(PACKAGE, "BackwardOptions");
  static final ClassName DECODE_STEP = ClassName.get(PACKAGE, "DecodeStep");
  static final ClassName FORWARD_OPTIONS = ClassName.get(PACKAGE, "ForwardOptions");
  static final ClassName GRADIENTS = ClassName.get(PACKAGE, "Gradients");
  static final ClassName KERNEL_IMAGE = ClassName.get(PACKAGE, "KernelImage");
  static final ClassName KERNEL_PROGRAM = ClassName.get(PACKAGE, "KernelProgram");
  static final ClassName OPERATOR = ClassName.get(PACKAGE, "PowerAttentionOperator");
  static final ClassName SAVED_FORWARD = ClassName.get(PACKAGE, "SavedForward");
  static final ClassName SERVE_OPTIONS = ClassName.get(PACKAGE, "ServeOptions");
  static final ClassName STATE = ClassName.get(PACKAGE, "State");
  static final ClassName TENSOR = ClassName.get(PACKAGE, "Tensor");

  /** Returns the record of a part's sizes. */
  static ClassName tiling(Part part) {
    return ClassName.get(
        PACKAGE,
        switch (part) {
          case FORWARD -> "ForwardTiling";
          case BACKWARD -> "BackwardTiling";
          case SERVING -> "ServingTiling";
        });
  }

  private RuntimeTypes() {}
}
