import javax.annotation.processing.Processor;
import org.powerattention.processor.PowerAttentionProcessor;

/** The annotation processor that writes CUDA sources and launchers. */
module org.powerattention.processor {
  requires org.powerattention.annotations;
  requires auto.common;
  requires static com.google.auto.service;
  requires com.palantir.javapoet;
  requires java.compiler;
  requires static org.jspecify;

  provides Processor with
      PowerAttentionProcessor;
}
