package org.powerattention.processor;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.annotation.processing.FilerException;
import javax.annotation.processing.ProcessingEnvironment;
import javax.lang.model.element.ModuleElement;
import javax.lang.model.element.TypeElement;
import javax.lang.model.util.Elements;
import org.jspecify.annotations.Nullable;
import org.powerattention.processor.read.Declaration;
import org.powerattention.processor.read.DeclarationReader;
import org.powerattention.processor.validate.Operator;
import org.powerattention.processor.validate.Problem;
import org.powerattention.processor.validate.Reporter;
import org.powerattention.processor.validate.Validator;
import org.powerattention.processor.write.CudaSource;
import org.powerattention.processor.write.LauncherWriter;
import org.powerattention.processor.write.OperatorFiles;

/** Leads the declarations of one type after another through the stages of one compilation. */
final class Pipeline {
  private static final String KERNELS = "/org/powerattention/processor/kernels/";
  private static final String GENERATED = "javax.annotation.processing.Generated";
  private static final String RUNTIME = "org.powerattention.runtime";

  private final Elements elements;
  private final Reporter reporter;
  private final Validator validator;
  private final OperatorFiles files;

  /** The types whose declarations the launchers written so far came from. */
  private final Map<String, String> typeByLauncher = new HashMap<>();

  private boolean runtimeMissingReported;

  Pipeline(ProcessingEnvironment environment, String processor) {
    elements = environment.getElementUtils();
    reporter = new Reporter(environment);
    validator = new Validator(reporter);
    files =
        new OperatorFiles(
            environment.getFiler(), new CudaSource(KERNELS), new LauncherWriter(processor));
  }

  /**
   * Writes the files of a type's valid declarations and reports what is wrong with the others.
   *
   * @return false if a value cannot be resolved yet; then nothing was written or reported
   */
  boolean process(TypeElement type) {
    try {
      Optional<List<Declaration>> declarations = DeclarationReader.read(type);
      declarations.map(validator::validate).ifPresent(valid -> valid.forEach(this::write));
      return declarations.isPresent();
    } catch (RuntimeException e) {
      reporter.reportDefect(type, e);
      return true;
    }
  }

  private void write(Validator.Valid valid) {
    Operator operator = valid.operator();
    Declaration declaration = valid.declaration();
    TypeElement type = declaration.anchor().type();
    if (!checkRuntime(declaration)) {
      return;
    }
    String launcher = operator.qualifiedLauncherName();
    try {
      files.write(operator, type, isVisible(type, GENERATED));
      typeByLauncher.put(launcher, operator.typeName());
    } catch (FilerException e) {
      @Nullable String other = typeByLauncher.get(launcher);
      reporter.reportValue(
          "name",
          declaration,
          Problem.LAUNCHER_EXISTS,
          launcher,
          other == null ? "is a type that exists already" : "is that of a declaration on " + other,
          operator.name() + "2");
    } catch (IOException e) {
      reporter.report(declaration, Problem.NOT_WRITTEN, launcher, e);
    }
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
      @Nullable ModuleElement module = elements.getModuleOf(type);
      boolean named = module != null && !module.isUnnamed();
      reporter.report(
          declaration,
          Problem.RUNTIME_MISSING,
          operator,
          named ? " and `requires " + RUNTIME + ";` to module " + module.getQualifiedName() : "");
    }
    return false;
  }

  private boolean isVisible(TypeElement from, String type) {
    @Nullable ModuleElement module = elements.getModuleOf(from);
    return (module == null ? elements.getTypeElement(type) : elements.getTypeElement(module, type))
        != null;
  }
}
