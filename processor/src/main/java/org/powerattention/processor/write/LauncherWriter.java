package org.powerattention.processor.write;

import com.palantir.javapoet.AnnotationSpec;
import com.palantir.javapoet.ClassName;
import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.FieldSpec;
import com.palantir.javapoet.JavaFile;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeSpec;
import java.lang.reflect.RecordComponent;
import java.util.List;
import javax.annotation.processing.Generated;
import javax.lang.model.element.Modifier;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.plan.LaunchSizes;
import org.powerattention.processor.plan.Part;
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
   * @param plans its plans, one for each source; those of a part oldest family first
   * @param surroundings what it is compiled with
   */
  public String write(Operator operator, List<KernelPlan> plans, Surroundings surroundings) {
    ClassName launcher = ClassName.get(operator.packageName(), operator.launcherName());
    TypeSpec.Builder type =
        TypeSpec.classBuilder(launcher)
            .addJavadoc("$L", LauncherJavadoc.of(operator))
            .addSuperinterface(AutoCloseable.class)
            .addModifiers(Modifier.FINAL);
    if (operator.isPublic()) {
      type.addModifiers(Modifier.PUBLIC);
    }
    if (surroundings.generated()) {
      type.addAnnotation(
          AnnotationSpec.builder(Generated.class).addMember("value", "$S", generator).build());
    }
    if (surroundings.nullness()) {
      type.addAnnotation(RuntimeTypes.NULL_MARKED);
    }
    if (surroundings.namedModule() && operator.isPublic()) {
      type.addAnnotation(
          AnnotationSpec.builder(SuppressWarnings.class)
              .addMember("value", "$S", "exports")
              .build());
    }
    type.addField(spec(operator.spec()))
        .addField(program(operator, plans, launcher))
        .addField(RuntimeTypes.OPERATOR, "operator", Modifier.PRIVATE, Modifier.FINAL)
        .addMethod(constructor());
    LauncherMethods.of(operator.spec(), launcher, surroundings.nullness()).forEach(type::addMethod);
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
                .add("/* forward= */ $L,\n", images(operator, plans, Part.FORWARD))
                .add("/* backward= */ $L,\n", images(operator, plans, Part.BACKWARD))
                .add("/* serving= */ $L)", images(operator, plans, Part.SERVING))
                .add("$<$<$<$<")
                .build())
        .build();
  }

  private static CodeBlock images(Operator operator, List<KernelPlan> plans, Part part) {
    List<CodeBlock> images =
        plans.stream().filter(plan -> plan.part() == part).map(p -> image(operator, p)).toList();
    return CodeBlock.builder()
        .add("$T.of(\n$>$>", List.class)
        .add(CodeBlock.join(images, ",\n"))
        .add(")$<$<")
        .build();
  }

  private static CodeBlock image(Operator operator, KernelPlan plan) {
    return CodeBlock.builder()
        .add("new $T<>(\n$>$>", RuntimeTypes.KERNEL_IMAGE)
        .add("$S,\n", plan.family().architecture())
        .add("$S,\n", OperatorFiles.resource(operator, plan))
        .add("$L)$<$<", tiling(plan))
        .build();
  }

  /** The sizes as the runtime's record of the same components. */
  private static CodeBlock tiling(KernelPlan plan) {
    CodeBlock.Builder sizes = CodeBlock.builder();
    sizes.add("new $T(\n$>$>", RuntimeTypes.tiling(plan.part()));
    String separator = "";
    for (RecordComponent component : plan.sizes().getClass().getRecordComponents()) {
      Object value = value(component, plan.sizes());
      sizes.add("$L/* $L= */ $L", separator, component.getName(), value);
      sizes.add(value instanceof Long ? "L" : "");
      separator = ",\n";
    }
    return sizes.add(")$<$<").build();
  }

  private static Object value(RecordComponent component, LaunchSizes sizes) {
    try {
      return component.getAccessor().invoke(sizes);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("a public record's component cannot be read", e);
    }
  }

  private static MethodSpec constructor() {
    return MethodSpec.constructorBuilder()
        .addModifiers(Modifier.PRIVATE)
        .addParameter(RuntimeTypes.OPERATOR, "operator")
        .addStatement("this.operator = operator")
        .build();
  }
}
