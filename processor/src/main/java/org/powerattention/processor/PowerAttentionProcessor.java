package org.powerattention.processor;

import com.google.auto.service.AutoService;
import java.util.LinkedHashSet;
import java.util.Set;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.ProcessingEnvironment;
import javax.annotation.processing.Processor;
import javax.annotation.processing.RoundEnvironment;
import javax.lang.model.SourceVersion;
import javax.lang.model.element.Element;
import javax.lang.model.element.TypeElement;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.PowerAttention;
import org.powerattention.processor.validate.OptionRules;

/**
 * Writes, for each {@link PowerAttention} declaration, its CUDA sources, one per part and
 * architecture family, and one launcher class. Every file has exactly one originating element, and
 * depends on nothing but that element.
 */
@AutoService(Processor.class)
public final class PowerAttentionProcessor extends AbstractProcessor {
  /** Types with a value that could not be resolved yet; other processors may still generate it. */
  private final Set<String> deferred = new LinkedHashSet<>();

  private @Nullable Pipeline pipeline;

  /** Creates a processor; the compiler does this. */
  public PowerAttentionProcessor() {}

  @Override
  public Set<String> getSupportedAnnotationTypes() {
    return Set.of(
        PowerAttention.class.getCanonicalName(),
        PowerAttention.Declarations.class.getCanonicalName());
  }

  @Override
  public Set<String> getSupportedOptions() {
    Set<String> options = new LinkedHashSet<>(OptionRules.NAMES);
    if (isInitialized()) {
      // Unknown ones of ours are ours to warn of; javac would, too, if they were left out here.
      processingEnv.getOptions().keySet().stream()
          .filter(name -> name.startsWith(OptionRules.NAMESPACE))
          .forEach(options::add);
    }
    return options;
  }

  @Override
  public SourceVersion getSupportedSourceVersion() {
    return SourceVersion.latestSupported();
  }

  @Override
  public synchronized void init(ProcessingEnvironment environment) {
    super.init(environment);
    pipeline = new Pipeline(environment, getClass().getName());
  }

  @Override
  public boolean process(Set<? extends TypeElement> annotations, RoundEnvironment round) {
    if (pipeline != null && !round.processingOver()) {
      pipeline.addSources(round.getRootElements());
      for (TypeElement type : annotatedTypes(annotations, round)) {
        if (!pipeline.process(type)) {
          deferred.add(type.getQualifiedName().toString());
        }
      }
    }
    // Not claimed: javac would then leave processors of all annotations out of the round.
    return false;
  }

  /** The types that wait from earlier rounds, then this round's in source order. */
  private Set<TypeElement> annotatedTypes(
      Set<? extends TypeElement> annotations, RoundEnvironment round) {
    Set<TypeElement> types = new LinkedHashSet<>();
    for (String name : deferred) {
      // Looked up anew, since elements of an earlier round are stale.
      @Nullable TypeElement type = processingEnv.getElementUtils().getTypeElement(name);
      if (type != null) {
        types.add(type);
      }
    }
    deferred.clear();
    for (TypeElement annotation : annotations) {
      for (Element element : round.getElementsAnnotatedWith(annotation)) {
        // On anything but a type, the compiler itself rejects the annotation.
        if (element instanceof TypeElement type) {
          types.add(type);
        }
      }
    }
    return types;
  }
}
