package org.powerattention.processor.write;

import com.palantir.javapoet.ClassName;
import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeName;
import java.util.List;
import javax.lang.model.element.Modifier;
import org.powerattention.annotations.KernelSpec;

/** The methods of a launcher; those of an ungated operator have no parameter for log gates. */
final class LauncherMethods {
  private static final CodeBlock OPTIONS =
      CodeBlock.of("@param options form, scale, states and stream\n");
  private static final CodeBlock FAILURES =
      CodeBlock.of(
          """
          @throws IllegalArgumentException if an argument does not fit; nothing was computed then
          @throws IllegalStateException if the launcher or an argument is closed
          """);

  private final KernelSpec spec;
  private final ClassName launcher;

  private LauncherMethods(KernelSpec spec, ClassName launcher) {
    this.spec = spec;
    this.launcher = launcher;
  }

  /** Returns the methods in the order in which they are written. */
  static List<MethodSpec> of(KernelSpec spec, ClassName launcher) {
    LauncherMethods methods = new LauncherMethods(spec, launcher);
    return List.of(
        methods.on(),
        methods.forward(),
        methods.forwardWithOptions(),
        methods.forwardInto(),
        methods.forwardAddresses(),
        methods.newState(),
        methods.close());
  }

  private MethodSpec on() {
    return method("on")
        .addModifiers(Modifier.STATIC)
        .addJavadoc(
            """
            Loads the operator on a device. For CUDA, its kernels are compiled the first time and kept
            in a cache on disk.

            @param accelerator the device, to be closed after the launcher
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
            .addJavadoc("Computes y into a new contiguous tensor, with the default options.\n\n")
            .addJavadoc(inputs(""))
            .addJavadoc("@return y $L, to be closed\n", shape("hq"))
            .addJavadoc(FAILURES)
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
            .addJavadoc("Computes y into a new contiguous tensor.\n\n")
            .addJavadoc(inputs(""))
            .addJavadoc(OPTIONS)
            .addJavadoc("@return y $L, to be closed\n", shape("hq"))
            .addJavadoc(FAILURES)
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
            .addJavadoc("Computes y into a given tensor.\n\n")
            .addJavadoc("@param y outputs $L; overlaps no input\n", shape("hq"))
            .addJavadoc(inputs(""))
            .addJavadoc(OPTIONS)
            .addJavadoc(FAILURES)
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
            .addJavadoc("Computes y over contiguous device memory of the caller's; CUDA only.\n")
            .addJavadoc("Copies nothing.\n\n")
            .addJavadoc(inputs("address of "))
            .addJavadoc("@param y address of outputs $L; overlaps no input\n", shape("hq"))
            .addJavadoc(
                """
                @param batch sequences b
                @param tokens tokens t of each
                @param queryHeads query heads hq, a multiple of {@code keyHeads}
                @param keyHeads key/value heads h
                """)
            .addJavadoc(OPTIONS)
            .addJavadoc(FAILURES)
            .addJavadoc("@throws UnsupportedOperationException on the CPU\n");
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

  private MethodSpec newState() {
    return method("newState")
        .addJavadoc(
            """
            Returns a state of zeros, to be an initial or final state of calls.

            @param batch sequences b
            @param keyHeads key/value heads h
            @return the state, to be closed
            @throws IllegalArgumentException if a size is not positive
            """)
        .returns(RuntimeTypes.STATE)
        .addParameter(TypeName.INT, "batch")
        .addParameter(TypeName.INT, "keyHeads")
        .addStatement("return operator.newState(batch, keyHeads)")
        .build();
  }

  private MethodSpec close() {
    return method("close")
        .addJavadoc("Unloads the operator. Closing again does nothing.\n")
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

  /** The tags of the inputs, each said to be {@code what} of something. */
  private CodeBlock inputs(String what) {
    CodeBlock.Builder tags = CodeBlock.builder();
    tags.add("@param q $Lqueries $L\n", what, shape("hq"));
    tags.add("@param k $Lkeys $L; h divides hq\n", what, shape("h"));
    tags.add("@param v $Lvalues $L\n", what, shape("h"));
    if (spec.gated()) {
      tags.add("@param logG $Llog gates [b, t, h], FP32, none above 0\n", what);
    }
    return tags.build();
  }

  private String shape(String heads) {
    return "[b, t, " + heads + ", " + spec.headDim() + "], " + spec.dtype();
  }

  private String logGate(String absent) {
    return spec.gated() ? "logG" : absent;
  }
}
