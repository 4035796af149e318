package org.powerattention.processor.write;

import com.palantir.javapoet.ClassName;
import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.FieldSpec;
import com.palantir.javapoet.JavaFile;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.ParameterSpec;
import com.palantir.javapoet.TypeName;
import com.palantir.javapoet.TypeSpec;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.processing.Generated;
import javax.lang.model.element.Modifier;
import javax.lang.model.element.TypeElement;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.PowerAttentionProcessor;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.plan.LaunchSizes;
import org.powerattention.processor.validate.Operator;

/** Writes the launcher class of an operator. */
public final class LauncherWriter {
  private static final String RUNTIME = "org.powerattention.runtime";
  private static final ClassName ACCELERATOR = ClassName.get(RUNTIME, "Accelerator");
  private static final ClassName TENSOR = ClassName.get(RUNTIME, "Tensor");
  private static final ClassName STATE = ClassName.get(RUNTIME, "State");
  private static final ClassName OPTIONS = ClassName.get(RUNTIME, "ForwardOptions");
  private static final ClassName OPERATOR = ClassName.get(RUNTIME, "PowerAttentionOperator");
  private static final ClassName PROGRAM = ClassName.get(RUNTIME, "KernelProgram");
  private static final ClassName IMAGE = ClassName.get(RUNTIME, "KernelImage");
  private static final ClassName TILING = ClassName.get(RUNTIME, "Tiling");

  private final Operator operator;
  private final KernelSpec spec;
  private final List<KernelPlan> plans;
  private final ClassName launcher;

  private LauncherWriter(Operator operator, List<KernelPlan> plans) {
    this.operator = operator;
    this.spec = operator.spec();
    this.plans = plans;
    this.launcher = ClassName.get(operator.packageName(), operator.launcherName());
  }

  /**
   * Returns the launcher's file.
   *
   * @param operator the operator
   * @param plans its plans, oldest family first
   * @param origin the annotated type
   */
  public static JavaFile write(Operator operator, List<KernelPlan> plans, TypeElement origin) {
    TypeSpec type = new LauncherWriter(operator, plans).type(origin);
    return JavaFile.builder(operator.packageName(), type)
        .skipJavaLangImports(true)
        .indent("  ")
        .build();
  }

  private TypeSpec type(TypeElement origin) {
    TypeSpec.Builder type =
        TypeSpec.classBuilder(launcher)
            .addOriginatingElement(origin)
            .addJavadoc(LauncherJavadoc.of(operator))
            .addAnnotation(
                com.palantir.javapoet.AnnotationSpec.builder(Generated.class)
                    .addMember("value", "$S", PowerAttentionProcessor.class.getName())
                    .build())
            .addModifiers(Modifier.FINAL)
            .addSuperinterface(AutoCloseable.class)
            .addField(specField())
            .addField(programField())
            .addField(OPERATOR, "operator", Modifier.PRIVATE, Modifier.FINAL)
            .addMethod(
                MethodSpec.constructorBuilder()
                    .addModifiers(Modifier.PRIVATE)
                    .addParameter(OPERATOR, "operator")
                    .addStatement("this.operator = operator")
                    .build())
            .addMethod(on())
            .addMethod(forward())
            .addMethod(forwardWithOptions())
            .addMethod(forwardInto())
            .addMethod(forwardOverAddresses())
            .addMethod(newState())
            .addMethod(close());
    if (operator.isPublic()) {
      type.addModifiers(Modifier.PUBLIC);
    }
    return type.build();
  }

  private FieldSpec specField() {
    return FieldSpec.builder(
            KernelSpec.class, "SPEC", Modifier.PUBLIC, Modifier.STATIC, Modifier.FINAL)
        .addJavadoc("What was declared, and all that follows from it.\n")
        .initializer(
            "new $T($L, $L, $L, $T.$L, $L, $L)",
            KernelSpec.class,
            spec.degree(),
            spec.headDim(),
            spec.chunk(),
            DType.class,
            spec.dtype(),
            spec.gated(),
            spec.normalized())
        .build();
  }

  private FieldSpec programField() {
    List<CodeBlock> images = new ArrayList<>();
    for (KernelPlan plan : plans) {
      LaunchSizes sizes = plan.sizes();
      String architecture = plan.family().architecture();
      images.add(
          CodeBlock.of(
              "new $T(\n$>$>$S,\n$S,\nnew $T($L, $L, $L, $L, $L, $L, $LL))$<$<",
              IMAGE,
              architecture,
              "/" + operator.resource(architecture),
              TILING,
              sizes.outputRows(),
              sizes.outputThreads(),
              sizes.outputSharedBytes(),
              sizes.stateFeatures(),
              sizes.stateThreads(),
              sizes.stateSharedBytes(),
              sizes.snapshotBytes()));
    }
    return FieldSpec.builder(PROGRAM, "PROGRAM", Modifier.PRIVATE, Modifier.STATIC, Modifier.FINAL)
        .initializer(
            "new $T(\n$>$>$S,\nSPEC,\n$T.class,\n$T.of(\n$>$>$L))$<$<$<$<",
            PROGRAM,
            operator.name(),
            launcher,
            List.class,
            CodeBlock.join(images, ",\n"))
        .build();
  }

  private MethodSpec on() {
    return MethodSpec.methodBuilder("on")
        .addJavadoc(
            """
            Loads the operator on a device. On CUDA its kernels are compiled on first use, and cached.

            @param accelerator the device; it must stay open as long as the launcher is used
            @throws $L.CompilationException if the kernels cannot be compiled for the device
            """,
            RUNTIME)
        .addModifiers(Modifier.PUBLIC, Modifier.STATIC)
        .returns(launcher)
        .addParameter(ACCELERATOR, "accelerator")
        .addStatement("return new $T($T.load(accelerator, PROGRAM))", launcher, OPERATOR)
        .build();
  }

  private MethodSpec forward() {
    return MethodSpec.methodBuilder("forward")
        .addJavadoc(
            "Computes y with the default options, see {@link #forward($L)}.\n\n",
            parameterTypes("Tensor", spec.gated() ? 4 : 3) + ", ForwardOptions")
        .addJavadoc(
            INPUT_TAGS + gateTag() + "@return y [b, t, hq, $L], to be closed\n",
            spec.headDim(),
            spec.dtype(),
            spec.headDim(),
            spec.dtype(),
            spec.headDim(),
            spec.dtype(),
            spec.headDim())
        .addModifiers(Modifier.PUBLIC)
        .returns(TENSOR)
        .addParameters(inputs())
        .addStatement("return forward($L, $T.defaults())", arguments(false), OPTIONS)
        .build();
  }

  private MethodSpec forwardWithOptions() {
    return MethodSpec.methodBuilder("forward")
        .addJavadoc(
            "Computes y into a new contiguous tensor.\n\n"
                + INPUT_TAGS
                + gateTag()
                + OPTIONS_TAG
                + "@return y [b, t, hq, $L], to be closed\n"
                + ERROR_TAGS,
            spec.headDim(),
            spec.dtype(),
            spec.headDim(),
            spec.dtype(),
            spec.headDim(),
            spec.dtype(),
            spec.headDim())
        .addModifiers(Modifier.PUBLIC)
        .returns(TENSOR)
        .addParameters(inputs())
        .addParameter(OPTIONS, "options")
        .addStatement("return operator.forward($L, options)", arguments(true))
        .build();
  }

  private MethodSpec forwardInto() {
    return MethodSpec.methodBuilder("forwardInto")
        .addJavadoc(
            "Computes y into a given tensor, of any strides whose innermost is 1.\n\n"
                + "@param y where to, [b, t, hq, $L], $L; must not overlap an input\n"
                + INPUT_TAGS
                + gateTag()
                + OPTIONS_TAG
                + ERROR_TAGS,
            spec.headDim(),
            spec.dtype(),
            spec.headDim(),
            spec.dtype(),
            spec.headDim(),
            spec.dtype(),
            spec.headDim(),
            spec.dtype())
        .addModifiers(Modifier.PUBLIC)
        .addParameter(TENSOR, "y")
        .addParameters(inputs())
        .addParameter(OPTIONS, "options")
        .addStatement("operator.forwardInto(y, $L, options)", arguments(true))
        .build();
  }

  private MethodSpec forwardOverAddresses() {
    MethodSpec.Builder method =
        MethodSpec.methodBuilder("forward")
            .addJavadoc(
                "Computes y over contiguous device memory of the caller's. Nothing is copied; CUDA"
                    + " only.\n\n"
                    + "@param q address of the queries [b, t, hq, $L], $L\n"
                    + "@param k address of the keys [b, t, h, $L], $L\n"
                    + "@param v address of the values [b, t, h, $L], $L\n",
                spec.headDim(),
                spec.dtype(),
                spec.headDim(),
                spec.dtype(),
                spec.headDim(),
                spec.dtype())
            .addModifiers(Modifier.PUBLIC)
            .addParameter(TypeName.LONG, "q")
            .addParameter(TypeName.LONG, "k")
            .addParameter(TypeName.LONG, "v");
    if (spec.gated()) {
      method
          .addJavadoc("@param logG address of the log gates [b, t, h], FP32\n")
          .addParameter(TypeName.LONG, "logG");
    }
    return method
        .addJavadoc(
            """
            @param y address of the outputs [b, t, hq, $L], $L
            @param batch sequences b
            @param tokens tokens per sequence t
            @param queryHeads query heads hq, a multiple of {@code keyHeads}
            @param keyHeads key/value heads h
            """,
            spec.headDim(),
            spec.dtype())
        .addJavadoc(OPTIONS_TAG + ERROR_TAGS + "@throws UnsupportedOperationException on the CPU\n")
        .addParameter(TypeName.LONG, "y")
        .addParameter(TypeName.INT, "batch")
        .addParameter(TypeName.INT, "tokens")
        .addParameter(TypeName.INT, "queryHeads")
        .addParameter(TypeName.INT, "keyHeads")
        .addParameter(OPTIONS, "options")
        .addStatement(
            "operator.forward(q, k, v, $L, y, batch, tokens, queryHeads, keyHeads, options)",
            spec.gated() ? "logG" : "0")
        .build();
  }

  private MethodSpec newState() {
    return MethodSpec.methodBuilder("newState")
        .addJavadoc(
            """
            Returns a state of zeros, for {@code ForwardOptions.initialState} and {@code finalState}.

            @param batch sequences b
            @param keyHeads key/value heads h
            @return the state, to be closed
            """)
        .addModifiers(Modifier.PUBLIC)
        .returns(STATE)
        .addParameter(TypeName.INT, "batch")
        .addParameter(TypeName.INT, "keyHeads")
        .addStatement("return operator.newState(batch, keyHeads)")
        .build();
  }

  private static MethodSpec close() {
    return MethodSpec.methodBuilder("close")
        .addJavadoc("Unloads the operator. Closing again does nothing.\n")
        .addAnnotation(Override.class)
        .addModifiers(Modifier.PUBLIC)
        .addStatement("operator.close()")
        .build();
  }

  private List<ParameterSpec> inputs() {
    List<ParameterSpec> parameters = new ArrayList<>();
    for (String name : spec.gated() ? List.of("q", "k", "v", "logG") : List.of("q", "k", "v")) {
      parameters.add(ParameterSpec.builder(TENSOR, name).build());
    }
    return parameters;
  }

  /** The inputs as arguments: for the operator, with null for gates that there are not. */
  private String arguments(boolean forOperator) {
    return spec.gated() ? "q, k, v, logG" : forOperator ? "q, k, v, null" : "q, k, v";
  }

  private static String parameterTypes(String type, int count) {
    return String.join(", ", java.util.Collections.nCopies(count, type));
  }

  private static final String INPUT_TAGS =
      """
      @param q queries [b, t, hq, $L], $L
      @param k keys [b, t, h, $L], $L; hq is a multiple of h
      @param v values [b, t, h, $L], $L
      """;

  private String gateTag() {
    return spec.gated() ? "@param logG log gates [b, t, h], FP32, each at most 0\n" : "";
  }

  private static final String OPTIONS_TAG = "@param options form, scale, states and stream\n";

  private static final String ERROR_TAGS =
      """
      @throws IllegalArgumentException if an argument does not fit; nothing has happened then
      @throws IllegalStateException if the launcher or an argument is closed
      """;
}
