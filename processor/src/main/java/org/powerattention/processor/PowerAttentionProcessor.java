package org.powerattention.processor;

import com.google.auto.service.AutoService;
import com.palantir.javapoet.JavaFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.Filer;
import javax.annotation.processing.FilerException;
import javax.annotation.processing.Processor;
import javax.annotation.processing.RoundEnvironment;
import javax.lang.model.SourceVersion;
import javax.lang.model.element.Element;
import javax.lang.model.element.TypeElement;
import javax.tools.Diagnostic.Kind;
import javax.tools.FileObject;
import javax.tools.StandardLocation;
import org.powerattention.annotations.PowerAttention;
import org.powerattention.processor.plan.Family;
import org.powerattention.processor.plan.KernelPlan;
import org.powerattention.processor.read.Declaration;
import org.powerattention.processor.read.DeclarationReader;
import org.powerattention.processor.read.Place;
import org.powerattention.processor.validate.Diagnostic;
import org.powerattention.processor.validate.Operator;
import org.powerattention.processor.validate.Validator;
import org.powerattention.processor.write.CudaSource;
import org.powerattention.processor.write.LauncherWriter;

/**
 * Writes, for each {@link PowerAttention} declaration, one CUDA source per architecture family and
 * one launcher class, each with the annotated type as its only originating element.
 */
@AutoService(Processor.class)
public final class PowerAttentionProcessor extends AbstractProcessor {
  /** Types whose declarations could not be read yet: they may refer to code generated later. */
  private final Set<String> deferred = new LinkedHashSet<>();

  /** Creates the processor; the compiler does that. */
  public PowerAttentionProcessor() {}

  @Override
  public Set<String> getSupportedAnnotationTypes() {
    return Set.of(
        PowerAttention.class.getCanonicalName(),
        PowerAttention.Declarations.class.getCanonicalName());
  }

  @Override
  public SourceVersion getSupportedSourceVersion() {
    return SourceVersion.latestSupported();
  }

  @Override
  public boolean process(Set<? extends TypeElement> annotations, RoundEnvironment round) {
    Set<TypeElement> types = new LinkedHashSet<>();
    for (String name : List.copyOf(deferred)) {
      TypeElement type = processingEnv.getElementUtils().getTypeElement(name);
      if (type != null) {
        types.add(type);
      }
    }
    deferred.clear();
    Stream.of(PowerAttention.class, PowerAttention.Declarations.class)
        .flatMap(annotation -> round.getElementsAnnotatedWith(annotation).stream())
        .filter(TypeElement.class::isInstance)
        .map(TypeElement.class::cast)
        .forEach(types::add);
    Set<String> sources =
        round.getRootElements().stream().map(Element::toString).collect(Collectors.toSet());
    for (TypeElement type : types) {
      try {
        process(type, sources);
      } catch (RuntimeException e) {
        StringWriter trace = new StringWriter();
        e.printStackTrace(new PrintWriter(trace));
        processingEnv
            .getMessager()
            .printMessage(Kind.ERROR, Diagnostic.INTERNAL.message(trace), type);
      }
    }
    return false;
  }

  private void process(TypeElement type, Set<String> sources) {
    List<Declaration> declarations = DeclarationReader.read(type).orElse(null);
    if (declarations == null) {
      deferred.add(type.getQualifiedName().toString());
      return;
    }
    for (Validator.Result valid : new Validator(this::report).validate(declarations)) {
      Operator operator = valid.operator();
      if (sources.contains(operator.qualifiedLauncherName())) {
        report(Diagnostic.TAKEN, valid.place(), operator.qualifiedLauncherName());
      } else {
        write(operator, type, valid.place());
      }
    }
  }

  private void write(Operator operator, TypeElement type, Place place) {
    List<KernelPlan> plans = new ArrayList<>();
    for (Family family : Family.values()) {
      plans.add(KernelPlan.of(operator.spec(), family));
    }
    Filer filer = processingEnv.getFiler();
    try {
      JavaFile launcher = LauncherWriter.write(operator, plans, type);
      launcher.writeTo(filer);
      for (KernelPlan plan : plans) {
        FileObject file =
            filer.createResource(
                StandardLocation.CLASS_OUTPUT,
                "",
                operator.resource(plan.family().architecture()),
                type);
        try (Writer writer = file.openWriter()) {
          writer.write(
              CudaSource.compose(plan, operator.declaration() + " on " + operator.typeName()));
        }
      }
    } catch (FilerException e) {
      report(Diagnostic.TAKEN, place, operator.qualifiedLauncherName());
    } catch (IOException e) {
      report(Diagnostic.WRITE, place, operator.qualifiedLauncherName(), e.getMessage());
    }
  }

  private void report(Diagnostic diagnostic, Place place, Object... arguments) {
    processingEnv
        .getMessager()
        .printMessage(
            Kind.ERROR,
            diagnostic.message(arguments),
            place.type(),
            place.annotation(),
            place.value());
  }
}
