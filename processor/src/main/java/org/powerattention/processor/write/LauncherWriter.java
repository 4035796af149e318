package org.powerattention.processor.write;

import com.palantir.javapoet.AnnotationSpec;
import com.palantir.javapoet.ClassName;
import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.FieldSpec;
import com.palantir.javapoet.JavaFile;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeSpec;
import java.util.List;
import javax.annotation.processing.Generated;
import javax.lang.model.element.Modifier;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.plan.LaunchSizes;
import org.powerattention.processor.validate.Operator;

/** Writes the launcher class of an operator. */
public final class LauncherWriter {
  private final String generator;

  /**
   * Creates a writer.
   *
   * @param generator name of the processor, for {@code @Generated}
   */
  public LauncherWriter(String generator) {
    this.generator = generator;
  }

  /**
   * Returns the launcher's source, formatted as google-java-format does.
   *
   * @param operator the operator
   * @param plans its plans, one for each source, oldest family first
   * @param markGenerated whether {@code @Generated} can be seen from the launcher's module
   */
  public String write(Operator operator, List<KernelPlan> plans, boolean markGenerated) {
    ClassName launcher = ClassName.get(operator.packageName(), operator.launcherName());
    TypeSpec.Builder type =
        TypeSpec.classBuilder(launcher)
            .addJavadoc("$L", LauncherJavadoc.of(operator))
            .addSuperinterface(AutoCloseable.class)
            .addModifiers(Modifier.FINAL);
    if (operator.isPublic()) {
      type.addModifiers(Modifier.PUBLIC);
    }
    if (markGenerated) {
      type.addAnnotation(
          AnnotationSpec.builder(Generated.class).addMember("value", "$S", generator).build());
    }
    type.addField(spec(operator.spec()))
        .addField(program(operator, plans, launcher))
        .addField(RuntimeTypes.OPERATOR, "operator", Modifier.PRIVATE, Modifier.FINAL)
        .addMethod(constructor());
    LauncherMethods.of(operator.spec(), launcher).forEach(type::addMethod);
    JavaFile file =
        JavaFile.builder(operator.packageName(), type.build())
            .skipJavaLangImports(true)
            .indent("  ")
            .build();
    return JavaLayout.of(file.toString());
  }

  private static FieldSpec spec(KernelSpec spec) {
    return FieldSpec.builder(
            KernelSpec.class, "SPEC", Modifier.PUBLIC, Modifier.STATIC, Modifier.FINAL)
        .addJavadoc("What was declared, with every value resolved.\n")
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

  private static FieldSpec program(Operator operator, List<KernelPlan> plans, ClassName launcher) {
    CodeBlock images =
        plans.stream().map(plan -> image(operator, plan)).collect(CodeBlock.joining(",\n"));
    return FieldSpec.builder(
            RuntimeTypes.KERNEL_PROGRAM,
            "PROGRAM",
            Modifier.PRIVATE,
            Modifier.STATIC,
            Modifier.FINAL)
        .initializer(
            CodeBlock.builder()
                .add("\n$>$>new $T(\n$>$>", RuntimeTypes.KERNEL_PROGRAM)
                .add("$S,\nSPEC,\n$T.class,\n", operator.name(), launcher)
                .add("$T.of(\n$>$>", List.class)
                .add(images)
                .add("))$<$<$<$<$<$<")
                .build())
        .build();
  }

  private static CodeBlock image(Operator operator, KernelPlan plan) {
    LaunchSizes sizes = plan.sizes();
    return CodeBlock.builder()
        .add("new $T(\n$>$>", RuntimeTypes.KERNEL_IMAGE)
        .add("$S,\n", plan.family().architecture())
        .add("$S,\n", "/" + OperatorFiles.resource(operator, plan.family()))
        .add("new $T(\n$>$>", RuntimeTypes.TILING)
        .add("/* outputRows= */ $L,\n", sizes.outputRows())
        .add("/* outputThreads= */ $L,\n", sizes.outputThreads())
        .add("/* outputSharedBytes= */ $L,\n", sizes.outputSharedBytes())
        .add("/* stateFeatures= */ $L,\n", sizes.stateFeatures())
        .add("/* stateThreads= */ $L,\n", sizes.stateThreads())
        .add("/* stateSharedBytes= */ $L,\n", sizes.stateSharedBytes())
        .add("/* snapshotBytes= */ $LL))$<$<$<$<", sizes.snapshotBytes())
        .build();
  }

  private static MethodSpec constructor() {
    return MethodSpec.constructorBuilder()
        .addModifiers(Modifier.PRIVATE)
        .addParameter(RuntimeTypes.OPERATOR, "operator")
        .addStatement("this.operator = operator")
        .build();
  }
}
