package org.powerattention.processor.write;

import com.palantir.javapoet.AnnotationSpec;
import com.palantir.javapoet.ClassName;
import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeName;
import java.util.List;
import java.util.stream.Stream;
import javax.lang.model.element.Modifier;
import org.powerattention.annotations.KernelSpec;

/**
 * What the methods of one launcher have in common: parameters, tags and the layout of calls. Those
 * of an ungated operator have no parameter for log gates.
 */
final class MethodParts {
  static final CodeBlock FAILURES =
      CodeBlock.of(
          """
          @throws IllegalArgumentException if an argument does not fit; nothing was computed then
          @throws IllegalStateException if the launcher or an argument is closed
          """);

  /** Of methods that take addresses. */
  static final CodeBlock CUDA_ONLY =
      CodeBlock.of("@throws UnsupportedOperationException on the CPU\n");

  /** The sizes of a call over addresses, and their tags. */
  static final List<String> SIZES = List.of("batch", "tokens", "queryHeads", "keyHeads");

  static final CodeBlock SIZE_TAGS =
      CodeBlock.of(
          """
          @param batch sequences b
          @param tokens tokens t of each; of packed sequences, those of all together
          @param queryHeads query heads hq, a multiple of {@code keyHeads}
          @param keyHeads key/value heads h
          """);

  private static final int COLUMNS = 100;

  /** Spaces before a statement, and before the arguments on the lines after it. */
  private static final int STATEMENT_INDENT = 4;

  private static final int ARGUMENT_INDENT = 8;

  private final KernelSpec spec;
  private final boolean nullness;

  /**
   * Creates the parts.
   *
   * @param spec what the launcher computes
   * @param nullness whether its types say what can be null
   */
  MethodParts(KernelSpec spec, boolean nullness) {
    this.spec = spec;
    this.nullness = nullness;
  }

  static MethodSpec.Builder method(String name) {
    return MethodSpec.methodBuilder(name).addModifiers(Modifier.PUBLIC);
  }

  KernelSpec spec() {
    return spec;
  }

  /** Adds q, k, v and, if the operator is gated, the log gates. */
  void addInputs(MethodSpec.Builder method, TypeName type) {
    method.addParameter(type, "q").addParameter(type, "k").addParameter(type, "v");
    if (spec.gated()) {
      method.addParameter(type, "logG");
    }
  }

  /** The tags of those, each said to be {@code what} of something. */
  CodeBlock inputs(String what, String tokens) {
    CodeBlock.Builder tags = CodeBlock.builder();
    tags.add("@param q $Lqueries $L\n", what, shape(tokens, "hq"));
    tags.add("@param k $Lkeys $L; h divides hq\n", what, shape(tokens, "h"));
    tags.add("@param v $Lvalues $L\n", what, shape(tokens, "h"));
    if (spec.gated()) {
      tags.add("@param logG $Llog gates [b, $L, h], FP32, none above 0\n", what, tokens);
    }
    return tags.build();
  }

  /** The tag of y. */
  CodeBlock outputTag(String what, String tokens) {
    return CodeBlock.of("@param y $Loutputs $L; overlaps no input\n", what, shape(tokens, "hq"));
  }

  /** Returns a type for what can be null. */
  TypeName nullable(ClassName type) {
    return nullness ? type.annotated(AnnotationSpec.builder(RuntimeTypes.NULLABLE).build()) : type;
  }

  static void addSizes(MethodSpec.Builder method) {
    SIZES.forEach(size -> method.addParameter(TypeName.INT, size));
  }

  /** Returns a shape and the dtype, as in {@code [b, t, hq, 64], BF16}. */
  String shape(String tokens, String heads) {
    return "[b, " + tokens + ", " + heads + ", " + spec.headDim() + "], " + spec.dtype();
  }

  /** Returns the names of the inputs as arguments; {@code absent} stands for log gates. */
  List<String> inputNames(String absent) {
    return List.of("q", "k", "v", spec.gated() ? "logG" : absent);
  }

  /** Returns the names of the inputs as arguments of another method of the launcher. */
  List<String> inputNames() {
    return spec.gated() ? inputNames("") : List.of("q", "k", "v");
  }

  /**
   * Returns a call, laid out as google-java-format does.
   *
   * @param start the statement up to the parenthesis, such as {@code return operator.forward}
   * @param arguments the arguments, or lists of them
   */
  static String call(String start, Object... arguments) {
    List<String> all =
        Stream.of(arguments)
            .flatMap(a -> a instanceof List<?> list ? list.stream() : Stream.of(a))
            .map(Object::toString)
            .toList();
    String joined = String.join(", ", all);
    if (STATEMENT_INDENT + start.length() + "();".length() + joined.length() <= COLUMNS) {
      return start + "(" + joined + ")";
    }
    boolean oneLine = ARGUMENT_INDENT + joined.length() + ");".length() <= COLUMNS;
    return start + "(\n" + String.join(oneLine ? ", " : ",\n", all) + ")";
  }
}
