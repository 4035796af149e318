package org.powerattention.processor;

import java.io.IOException;
import java.util.Set;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.ProcessingEnvironment;
import javax.annotation.processing.RoundEnvironment;
import javax.lang.model.SourceVersion;
import javax.lang.model.element.TypeElement;

/**
 * The processor where the disk is full for operators called {@code Unwritable}, and where it meets
 * a defect of its own at those called {@code Defective}. Public, so that kapt can make one.
 */
public final class FailingProcessor extends AbstractProcessor {
  private final CompilerSpy processor =
      new CompilerSpy(
          file -> {
            if (file.contains("Unwritable")) {
              throw new IOException("disk full");
            }
            if (file.contains("Defective")) {
              IllegalStateException defect = new IllegalStateException("broken");
              defect.setStackTrace(new StackTraceElement[0]); // its line numbers change
              throw defect;
            }
          });

  @Override
  public synchronized void init(ProcessingEnvironment environment) {
    processor.init(environment);
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
