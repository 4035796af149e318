package org.powerattention.processor.write;

import com.palantir.javapoet.ClassName;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeName;
import java.util.List;
import javax.lang.model.element.Modifier;
import org.powerattention.annotations.KernelSpec;

/** The methods of a launcher; those of an ungated operator have no parameter for log gates. */
final class LauncherMethods {
  private final KernelSpec spec;

  private LauncherMethods(KernelSpec spec) {
    this.spec = spec;
  }

  /** Returns the methods in the order in which they are written. */
  static List<MethodSpec> of(KernelSpec spec, ClassName launcher) {
    LauncherMethods methods = new LauncherMethods(spec);
    return List.of(
        on(launcher),
        methods.forward(),
        methods.forwardWithOptions(),
        methods.forwardInto(),
        methods.forwardAddresses(),
        newState(),
        close());
  }

  private static MethodSpec on(ClassName launcher) {
    return method("on")
        .addModifiers(Modifier.STATIC)
        .addJavadoc(
            """
            Loads the operator on a device. For CUDA, its kernels are compiled the first time and kept
            in a cache on disk. To be closed before the accelerator.
            """)
        .returns(launcher)
        .addParameter(RuntimeTypes.ACCELERATOR, "accelerator")
        .addStatement(
            "return new $T($T.load(accelerator, PROGRAM))", launcher, RuntimeTypes.OPERATOR)
        .build();
  }

  private MethodSpec forward() {
    MethodSpec.Builder method =
        method("forward")
            .addJavadoc(
                """
                Returns y with {@link $T#defaults}, in a new tensor that the caller closes.

                @throws IllegalArgumentException if a shape, dtype or device does not fit
                """,
                RuntimeTypes.FORWARD_OPTIONS)
            .returns(RuntimeTypes.TENSOR);
    addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addStatement(
            "return forward(q, k, v, $L$T.defaults())",
            spec.gated() ? "logG, " : "",
            RuntimeTypes.FORWARD_OPTIONS)
        .build();
  }

  private MethodSpec forwardWithOptions() {
    MethodSpec.Builder method =
        method("forward")
            .addJavadoc(
                """
                Returns y in a new tensor that the caller closes.

                @throws IllegalArgumentException if a shape, dtype, device or option does not fit
                """)
            .returns(RuntimeTypes.TENSOR);
    addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addParameter(RuntimeTypes.FORWARD_OPTIONS, "options")
        .addStatement("return operator.forward(q, k, v, $L, options)", logGate("null"))
        .build();
  }

  private MethodSpec forwardInto() {
    MethodSpec.Builder method =
        method("forwardInto")
            .addJavadoc(
                """
                Writes y to a given tensor, which must not overlap an input.

                @throws IllegalArgumentException if a shape, dtype, device or option does not fit
                """)
            .addParameter(RuntimeTypes.TENSOR, "y");
    addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addParameter(RuntimeTypes.FORWARD_OPTIONS, "options")
        .addStatement("operator.forwardInto(y, q, k, v, $L, options)", logGate("null"))
        .build();
  }

  private MethodSpec forwardAddresses() {
    MethodSpec.Builder method =
        method("forward")
            .addJavadoc(
                """
                Writes y, with every tensor given as the device address of contiguous memory. Copies
                nothing. CUDA only.

                @throws IllegalArgumentException if a size or option does not fit
                """);
    addInputs(method, TypeName.LONG);
    return method
        .addParameter(TypeName.LONG, "y")
        .addParameter(TypeName.INT, "batch")
        .addParameter(TypeName.INT, "tokens")
        .addParameter(TypeName.INT, "queryHeads")
        .addParameter(TypeName.INT, "keyHeads")
        .addParameter(RuntimeTypes.FORWARD_OPTIONS, "options")
        .addStatement(
            "operator.forward(q, k, v, $L, y, batch, tokens, queryHeads, keyHeads, options)",
            logGate("0L"))
        .build();
  }

  private static MethodSpec newState() {
    return method("newState")
        .addJavadoc(
            """
            Returns a new state of zeros, to hand from call to call; the caller closes it.

            @throws IllegalArgumentException if a size is not positive
            """)
        .returns(RuntimeTypes.STATE)
        .addParameter(TypeName.INT, "batch")
        .addParameter(TypeName.INT, "keyHeads")
        .addStatement("return operator.newState(batch, keyHeads)")
        .build();
  }

  private static MethodSpec close() {
    return method("close")
        .addJavadoc("Unloads the operator. Closing twice is harmless.\n")
        .addAnnotation(Override.class)
        .addStatement("operator.close()")
        .build();
  }

  private static MethodSpec.Builder method(String name) {
    return MethodSpec.methodBuilder(name).addModifiers(Modifier.PUBLIC);
  }

  private void addInputs(MethodSpec.Builder method, TypeName type) {
    method.addParameter(type, "q").addParameter(type, "k").addParameter(type, "v");
    if (spec.gated()) {
      method.addParameter(type, "logG");
    }
  }

  private String logGate(String absent) {
    return spec.gated() ? "logG" : absent;
  }
}
