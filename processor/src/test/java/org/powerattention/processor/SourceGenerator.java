package org.powerattention.processor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.util.Set;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.RoundEnvironment;
import javax.lang.model.SourceVersion;
import javax.lang.model.element.TypeElement;

/** Another processor, which generates one type in one of its rounds. */
final class SourceGenerator extends AbstractProcessor {
  private final String qualifiedName;
  private final String text;
  private final int inRound;
  private int round;

  /** Creates a generator; rounds count from 1, so that one of round 0 does nothing. */
  SourceGenerator(String qualifiedName, String text, int inRound) {
    this.qualifiedName = qualifiedName;
    this.text = text;
    this.inRound = inRound;
  }

  @Override
  public Set<String> getSupportedAnnotationTypes() {
    return Set.of("*");
  }

  @Override
  public SourceVersion getSupportedSourceVersion() {
    return SourceVersion.latestSupported();
  }

  @Override
  public boolean process(Set<? extends TypeElement> annotations, RoundEnvironment environment) {
    round++;
    if (round == inRound) {
      try (Writer writer = processingEnv.getFiler().createSourceFile(qualifiedName).openWriter()) {
        writer.write(text);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return false;
  }
}
