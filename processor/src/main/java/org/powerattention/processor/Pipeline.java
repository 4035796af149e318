package org.powerattention.processor;

import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import javax.annotation.processing.FilerException;
import javax.annotation.processing.ProcessingEnvironment;
import javax.lang.model.element.Element;
import javax.lang.model.element.ModuleElement;
import javax.lang.model.element.TypeElement;
import javax.lang.model.util.Elements;
import org.jspecify.annotations.Nullable;
import org.powerattention.processor.read.Declaration;
import org.powerattention.processor.read.DeclarationReader;
import org.powerattention.processor.validate.Operator;
import org.powerattention.processor.validate.OptionRules;
import org.powerattention.processor.validate.Problem;
import org.powerattention.processor.validate.Reporter;
import org.powerattention.processor.validate.Validator;
import org.powerattention.processor.write.CudaSource;
import org.powerattention.processor.write.LauncherWriter;
import org.powerattention.processor.write.OperatorFiles;
import org.powerattention.processor.write.Surroundings;

/** Leads the declarations of one type after another through the stages of one compilation. */
final class Pipeline {
  private static final String KERNELS = "/org/powerattention/processor/kernels/";
  private static final String GENERATED = "javax.annotation.processing.Generated";
  private static final String NULL_MARKED = "org.jspecify.annotations.NullMarked";
  private static final String NULLABLE = "org.jspecify.annotations.Nullable";
  private static final String RUNTIME = "org.powerattention.runtime";

  private final Elements elements;
  private final Reporter reporter;
  private final Validator validator;
  private final Supplier<OperatorFiles> newFiles;

  /** Made for the first type, so that only compilations with declarations hear of options. */
  private @Nullable OperatorFiles files;

  /** The types whose declarations the launchers written so far came from. */
  private final Map<String, String> typeByLauncher = new HashMap<>();

  /** The top-level types that other source files of the compilation have. */
  private final Set<String> sourceTypes = new HashSet<>();

  private boolean runtimeMissingReported;

  Pipeline(ProcessingEnvironment environment, String processor) {
    elements = environment.getElementUtils();
    reporter = new Reporter(environment);
    validator = new Validator(reporter);
    newFiles =
        () ->
            new OperatorFiles(
                environment.getFiler(),
                new CudaSource(KERNELS),
                new LauncherWriter(processor),
                OptionRules.read(environment.getOptions(), reporter));
  }

  /**
   * Takes note of the sources that a round adds. Not every compiler refuses to have one of their
   * types generated, and a class on the class path may be what an earlier build generated.
   */
  void addSources(Set<? extends Element> roots) {
    for (Element root : roots) {
      if (root instanceof TypeElement type) {
        sourceTypes.add(type.getQualifiedName().toString());
      }
    }
  }

  /**
   * Writes the files of a type's valid declarations and reports what is wrong with the others.
   *
   * @return false if a value cannot be resolved yet; then nothing was written or reported
   */
  boolean process(TypeElement type) {
    try {
      if (files == null) {
        files = newFiles.get();
      }
      OperatorFiles to = files;
      Optional<List<Declaration>> declarations = DeclarationReader.read(type);
      declarations
          .map(validator::validate)
          .ifPresent(all -> all.forEach(valid -> write(valid, to)));
      return declarations.isPresent();
    } catch (RuntimeException | LinkageError | AssertionError e) {
      // Compilers answer what escapes a processor by giving up, with a stack trace.
      reporter.reportDefect(type, e);
      return true;
    }
  }

  private void write(Validator.Valid valid, OperatorFiles to) {
    Operator operator = valid.operator();
    Declaration declaration = valid.declaration();
    TypeElement type = declaration.anchor().type();
    if (!checkRuntime(declaration)) {
      return;
    }
    String launcher = operator.qualifiedLauncherName();
    if (sourceTypes.contains(launcher)) {
      reportExisting(operator, declaration);
      return;
    }
    try {
      to.write(operator, type, surroundings(type));
      typeByLauncher.put(launcher, operator.typeName());
    } catch (FilerException e) {
      reportExisting(operator, declaration);
    } catch (IOException e) {
      reporter.report(declaration, Problem.NOT_WRITTEN, launcher, e);
    }
  }

  private void reportExisting(Operator operator, Declaration declaration) {
    String launcher = operator.qualifiedLauncherName();
    @Nullable String other = typeByLauncher.get(launcher);
    reporter.reportValue(
        "name",
        declaration,
        Problem.LAUNCHER_EXISTS,
        launcher,
        other == null ? "is a type that exists already" : "is that of a declaration on " + other,
        operator.name() + "2");
  }

  /** Without the runtime, every launcher would fail to compile; that is reported once. */
  private boolean checkRuntime(Declaration declaration) {
    TypeElement type = declaration.anchor().type();
    String operator = RUNTIME + ".PowerAttentionOperator";
    if (isVisible(type, operator)) {
      return true;
    }
    if (!runtimeMissingReported) {
      runtimeMissingReported = true;
      reporter.report(
          declaration,
          Problem.RUNTIME_MISSING,
          operator,
          module(type)
              .map(m -> " and `requires " + RUNTIME + ";` to module " + m.getQualifiedName())
              .orElse(""));
    }
    return false;
  }

  private Surroundings surroundings(TypeElement type) {
    return new Surroundings(
        isVisible(type, GENERATED),
        isVisible(type, NULL_MARKED) && isVisible(type, NULLABLE),
        module(type).isPresent());
  }

  private Optional<ModuleElement> module(TypeElement type) {
    return Optional.ofNullable(elements.getModuleOf(type)).filter(module -> !module.isUnnamed());
  }

  private boolean isVisible(TypeElement from, String type) {
    @Nullable ModuleElement module = elements.getModuleOf(from);
    return (module == null ? elements.getTypeElement(type) : elements.getTypeElement(module, type))
        != null;
  }
}
