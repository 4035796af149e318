package org.powerattention.processor.write;

import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeName;
import java.util.List;

/** The launcher's methods that continue a state: those of prefill, or those of decode. */
final class ServingMethods {
  private static final String PREFILL =
      "Computes y of tokens that continue a state, which takes them in";
  private static final String DECODE =
      "Computes y of one more token of each sequence of a state, which takes them in";

  private static final CodeBlock RECORD =
      CodeBlock.of("@return the record, to be closed before its tensors and the state\n");

  private final MethodParts parts;
  private final String name;

  /** Tokens of a call, as its shapes have them. */
  private final String tokens;

  private final String summary;
  private final CodeBlock options;

  private ServingMethods(
      MethodParts parts, String name, String tokens, String summary, String options) {
    this.parts = parts;
    this.name = name;
    this.tokens = tokens;
    this.summary = summary;
    this.options = CodeBlock.of("@param options $L\n", options);
  }

  static List<MethodSpec> of(MethodParts parts) {
    ServingMethods prefill =
        new ServingMethods(parts, "prefill", "t", PREFILL, "form, scale and stream");
    ServingMethods decode = new ServingMethods(parts, "decode", "1", DECODE, "scale and stream");
    return List.of(
        prefill.withDefaults(),
        prefill.withOptions("However tokens are split into calls, only rounding differs."),
        prefill.into(),
        prefill.addresses(List.of("tokens", "queryHeads")),
        decode.withDefaults(),
        decode.withOptions("Takes the same time and memory whatever came before."),
        decode.into(),
        decode.addresses(List.of("queryHeads")),
        decode.captureWithDefaults(),
        decode.capture());
  }

  private MethodSpec withDefaults() {
    return tensors(name, false)
        .addJavadoc("$L, with the default options.\n\n", summary)
        .addJavadoc(tags(""))
        .addJavadoc("@return y $L, to be closed\n", parts.shape(tokens, "hq"))
        .addJavadoc(MethodParts.FAILURES)
        .returns(RuntimeTypes.TENSOR)
        .addStatement(
            MethodParts.call("return " + name, "state", parts.inputNames(), "$T.defaults()"),
            RuntimeTypes.SERVE_OPTIONS)
        .build();
  }

  private MethodSpec withOptions(String promise) {
    return tensors(name, false)
        .addJavadoc("$L. $L\n\n", summary, promise)
        .addJavadoc(tags(""))
        .addJavadoc(options)
        .addJavadoc("@return y $L, to be closed\n", parts.shape(tokens, "hq"))
        .addJavadoc(MethodParts.FAILURES)
        .returns(RuntimeTypes.TENSOR)
        .addParameter(RuntimeTypes.SERVE_OPTIONS, "options")
        .addStatement(
            MethodParts.call(
                "return operator." + name, "state", parts.inputNames("null"), "options"))
        .build();
  }

  private MethodSpec into() {
    return tensors(name + "Into", true)
        .addJavadoc("$L, into a given tensor.\n\n", summary)
        .addJavadoc(outputTag(""))
        .addJavadoc(tags(""))
        .addJavadoc(options)
        .addJavadoc(MethodParts.FAILURES)
        .addParameter(RuntimeTypes.SERVE_OPTIONS, "options")
        .addStatement(
            MethodParts.call(
                "operator." + name + "Into", "y", "state", parts.inputNames("null"), "options"))
        .build();
  }

  private MethodSpec addresses(List<String> sizes) {
    MethodSpec.Builder method =
        MethodParts.method(name)
            .addJavadoc("$L, over contiguous device memory\n", summary)
            .addJavadoc("of the caller's; CUDA only. Copies nothing.\n\n")
            .addJavadoc(tags("address of "))
            .addJavadoc(outputTag("address of "))
            .addParameter(RuntimeTypes.STATE, "state");
    parts.addInputs(method, TypeName.LONG);
    method.addParameter(TypeName.LONG, "y");
    for (String size : sizes) {
      method
          .addParameter(TypeName.INT, size)
          .addJavadoc(
              "@param $L $L\n",
              size,
              size.equals("tokens") ? "tokens t of each sequence" : "query heads hq");
    }
    return method
        .addJavadoc(options)
        .addJavadoc(MethodParts.FAILURES)
        .addJavadoc(MethodParts.CUDA_ONLY)
        .addParameter(RuntimeTypes.SERVE_OPTIONS, "options")
        .addStatement(
            MethodParts.call(
                "operator." + name, "state", parts.inputNames("0L"), "y", sizes, "options"))
        .build();
  }

  private MethodSpec captureWithDefaults() {
    return tensors("captureDecode", true)
        .addJavadoc("Records a call of decode, with the default options, without making it.\n\n")
        .addJavadoc(outputTag(""))
        .addJavadoc(tags(""))
        .addJavadoc(RECORD)
        .addJavadoc(MethodParts.FAILURES)
        .returns(RuntimeTypes.DECODE_STEP)
        .addStatement(
            MethodParts.call(
                "return captureDecode", "y", "state", parts.inputNames(), "$T.defaults()"),
            RuntimeTypes.SERVE_OPTIONS)
        .build();
  }

  private MethodSpec capture() {
    return tensors("captureDecode", true)
        .addJavadoc(
            """
            Records a call of decode without making it. Each launch of the record is such a call, on
            what the tensors hold then; on CUDA, it is a graph.

            """)
        .addJavadoc(outputTag(""))
        .addJavadoc(tags(""))
        .addJavadoc(options)
        .addJavadoc(RECORD)
        .addJavadoc(MethodParts.FAILURES)
        .returns(RuntimeTypes.DECODE_STEP)
        .addParameter(RuntimeTypes.SERVE_OPTIONS, "options")
        .addStatement(
            MethodParts.call(
                "return operator.captureDecode", "y", "state", parts.inputNames("null"), "options"))
        .build();
  }

  /** A method that takes the output if it is asked for, the state and the inputs. */
  private MethodSpec.Builder tensors(String method, boolean output) {
    MethodSpec.Builder builder = MethodParts.method(method);
    if (output) {
      builder.addParameter(RuntimeTypes.TENSOR, "y");
    }
    builder.addParameter(RuntimeTypes.STATE, "state");
    parts.addInputs(builder, RuntimeTypes.TENSOR);
    return builder;
  }

  private CodeBlock tags(String what) {
    return CodeBlock.builder()
        .add("@param state a state of this operator, of b sequences and h heads\n")
        .add(parts.inputs(what, tokens))
        .build();
  }

  private CodeBlock outputTag(String what) {
    return parts.outputTag(what, tokens);
  }
}
