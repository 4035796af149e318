package org.powerattention.processor;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.Filer;
import javax.annotation.processing.ProcessingEnvironment;
import javax.annotation.processing.Processor;
import javax.annotation.processing.RoundEnvironment;
import javax.lang.model.SourceVersion;
import javax.lang.model.element.Element;
import javax.lang.model.element.TypeElement;

/**
 * Runs the processor in an environment that is not the compiler's own, as Gradle does, and records
 * the originating elements of every file that it creates; it can also make the creation fail.
 */
final class CompilerSpy extends AbstractProcessor {
  /** What to do when a file is created. */
  interface OnCreate {
    void check(String file) throws IOException;
  }

  private final Processor processor = new PowerAttentionProcessor();
  private final OnCreate onCreate;

  /** Originating elements by file, the last argument of each call that creates one. */
  final Map<String, List<String>> origins = new TreeMap<>();

  CompilerSpy() {
    this(file -> {});
  }

  CompilerSpy(OnCreate onCreate) {
    this.onCreate = onCreate;
  }

  @Override
  public synchronized void init(ProcessingEnvironment environment) {
    Filer filer =
        proxy(
            Filer.class,
            environment.getFiler(),
            (method, arguments) -> {
              if (method.startsWith("create")) {
                Element[] elements = (Element[]) arguments[arguments.length - 1];
                // createResource(location, package, name, origins), createSourceFile(name, origins)
                String file = arguments[arguments.length - 2].toString();
                onCreate.check(file);
                origins.put(file, Arrays.stream(elements).map(Element::toString).toList());
              }
              return null;
            });
    processor.init(
        proxy(
            ProcessingEnvironment.class,
            environment,
            (method, arguments) -> method.equals("getFiler") ? filer : null));
  }

  private interface Interceptor {
    /** Returns the result of a call, or null to pass it on. */
    Object call(String method, Object[] arguments) throws IOException;
  }

  private static <T> T proxy(Class<T> type, T target, Interceptor interceptor) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (self, method, arguments) -> {
              Object result = interceptor.call(method.getName(), arguments);
              if (result != null) {
                return result;
              }
              try {
                return method.invoke(target, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }

  @Override
  public Set<String> getSupportedAnnotationTypes() {
    return processor.getSupportedAnnotationTypes();
  }

  @Override
  public Set<String> getSupportedOptions() {
    return processor.getSupportedOptions();
  }

  @Override
  public SourceVersion getSupportedSourceVersion() {
    return processor.getSupportedSourceVersion();
  }

  @Override
  public boolean process(Set<? extends TypeElement> annotations, RoundEnvironment round) {
    processor.process(annotations, round);
    return false;
  }
}
