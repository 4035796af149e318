package org.powerattention.processor.write;

import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeName;
import java.util.List;

/** The launcher's methods of the forward pass. */
final class ForwardMethods {
  private static final CodeBlock OPTIONS =
      CodeBlock.of(
          "@param options form, scale, states, packed sequences, what to save, and stream\n");

  private final MethodParts parts;

  private ForwardMethods(MethodParts parts) {
    this.parts = parts;
  }

  static List<MethodSpec> of(MethodParts parts) {
    ForwardMethods methods = new ForwardMethods(parts);
    return List.of(
        methods.forward(),
        methods.forwardWithOptions(),
        methods.forwardInto(),
        methods.forwardAddresses());
  }

  private MethodSpec forward() {
    MethodSpec.Builder method =
        MethodParts.method("forward")
            .addJavadoc("Computes y into a new contiguous tensor, with the default options.\n\n")
            .addJavadoc(parts.inputs("", "t"))
            .addJavadoc("@return y $L, to be closed\n", parts.shape("t", "hq"))
            .addJavadoc(MethodParts.FAILURES)
            .returns(RuntimeTypes.TENSOR);
    parts.addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addStatement(
            MethodParts.call("return forward", parts.inputNames(), "$T.defaults()"),
            RuntimeTypes.FORWARD_OPTIONS)
        .build();
  }

  private MethodSpec forwardWithOptions() {
    MethodSpec.Builder method =
        MethodParts.method("forward")
            .addJavadoc("Computes y into a new contiguous tensor.\n\n")
            .addJavadoc(parts.inputs("", "t"))
            .addJavadoc(OPTIONS)
            .addJavadoc("@return y $L, to be closed\n", parts.shape("t", "hq"))
            .addJavadoc(MethodParts.FAILURES)
            .returns(RuntimeTypes.TENSOR);
    parts.addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addParameter(RuntimeTypes.FORWARD_OPTIONS, "options")
        .addStatement(
            MethodParts.call("return operator.forward", parts.inputNames("null"), "options"))
        .build();
  }

  private MethodSpec forwardInto() {
    MethodSpec.Builder method =
        MethodParts.method("forwardInto")
            .addJavadoc("Computes y into a given tensor.\n\n")
            .addJavadoc(parts.outputTag("", "t"))
            .addJavadoc(parts.inputs("", "t"))
            .addJavadoc(OPTIONS)
            .addJavadoc(MethodParts.FAILURES)
            .addParameter(RuntimeTypes.TENSOR, "y");
    parts.addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addParameter(RuntimeTypes.FORWARD_OPTIONS, "options")
        .addStatement(
            MethodParts.call("operator.forwardInto", "y", parts.inputNames("null"), "options"))
        .build();
  }

  private MethodSpec forwardAddresses() {
    MethodSpec.Builder method =
        MethodParts.method("forward")
            .addJavadoc("Computes y over contiguous device memory of the caller's; CUDA only.\n")
            .addJavadoc("Copies nothing.\n\n")
            .addJavadoc(parts.inputs("address of ", "t"))
            .addJavadoc(parts.outputTag("address of ", "t"))
            .addJavadoc(MethodParts.SIZE_TAGS)
            .addJavadoc(OPTIONS)
            .addJavadoc(MethodParts.FAILURES)
            .addJavadoc(MethodParts.CUDA_ONLY);
    parts.addInputs(method, TypeName.LONG);
    method.addParameter(TypeName.LONG, "y");
    MethodParts.addSizes(method);
    return method
        .addParameter(RuntimeTypes.FORWARD_OPTIONS, "options")
        .addStatement(
            MethodParts.call(
                "operator.forward", parts.inputNames("0L"), "y", MethodParts.SIZES, "options"))
        .build();
  }
}
