package org.powerattention.processor.write;

import com.palantir.javapoet.CodeBlock;
import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeName;
import java.util.List;

/** The launcher's methods of the backward pass. */
final class BackwardMethods {
  private static final CodeBlock OPTIONS =
      CodeBlock.of(
          """
          @param options scale, initial state and packed sequences of the forward call; form,
              gradient of the final state, what the forward call saved, and stream
          """);

  private final MethodParts parts;

  private BackwardMethods(MethodParts parts) {
    this.parts = parts;
  }

  static List<MethodSpec> of(MethodParts parts) {
    BackwardMethods methods = new BackwardMethods(parts);
    return List.of(
        methods.newSavedForward(),
        methods.newGradients(),
        methods.backward(),
        methods.backwardWithOptions(),
        methods.backwardInto(),
        methods.backwardAddresses());
  }

  private MethodSpec newSavedForward() {
    return MethodParts.method("newSavedForward")
        .addJavadoc(
            """
            Returns a place for what a forward call keeps for the backward call, which computes it again
            where there is none.

            @param batch sequences b; 1 if they are packed
            @param tokens tokens t of each; of packed sequences, those of all together
            @param queryHeads query heads hq
            @return the place, to be closed; it takes $L
            @throws IllegalArgumentException if a size is not positive
            @throws IllegalStateException if the launcher is closed
            """,
            LauncherJavadoc.savedBytes(parts.spec()))
        .returns(RuntimeTypes.SAVED_FORWARD)
        .addParameter(TypeName.INT, "batch")
        .addParameter(TypeName.INT, "tokens")
        .addParameter(TypeName.INT, "queryHeads")
        .addStatement("return operator.newSavedForward(batch, tokens, queryHeads)")
        .build();
  }

  private MethodSpec newGradients() {
    return MethodParts.method("newGradients")
        .addJavadoc(
            """
            Returns tensors for the gradients of calls, to be written by {@link #backwardInto}.

            @param q queries of such a call, for their shape
            @param k keys of such a call, for their shape
            @param options its options: whether there is an initial state, and packed sequences
            @return the tensors, to be closed; what they hold is undefined
            """)
        .addJavadoc(MethodParts.FAILURES)
        .returns(RuntimeTypes.GRADIENTS)
        .addParameter(RuntimeTypes.TENSOR, "q")
        .addParameter(RuntimeTypes.TENSOR, "k")
        .addParameter(RuntimeTypes.BACKWARD_OPTIONS, "options")
        .addStatement("return operator.newGradients(q, k, options)")
        .build();
  }

  private MethodSpec backward() {
    MethodSpec.Builder method =
        MethodParts.method("backward")
            .addJavadoc(
                "Computes the gradients of a loss from that of y, with the default options.\n\n")
            .addJavadoc(parts.inputs("", "t"))
            .addJavadoc(dY("gradient"))
            .addJavadoc("@return the gradients of $L, to be closed\n", inputsInWords())
            .addJavadoc(MethodParts.FAILURES)
            .returns(RuntimeTypes.GRADIENTS);
    parts.addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addParameter(RuntimeTypes.TENSOR, "dY")
        .addStatement(
            MethodParts.call("return backward", parts.inputNames(), "dY", "$T.defaults()"),
            RuntimeTypes.BACKWARD_OPTIONS)
        .build();
  }

  private MethodSpec backwardWithOptions() {
    MethodSpec.Builder method =
        MethodParts.method("backward")
            .addJavadoc("Computes the gradients of a loss from that of y.\n\n")
            .addJavadoc(parts.inputs("", "t"))
            .addJavadoc(dY("gradient"))
            .addJavadoc(OPTIONS)
            .addJavadoc(
                "@return the gradients of $L and of the initial state if there is one, to be"
                    + " closed\n",
                inputsInWords())
            .addJavadoc(MethodParts.FAILURES)
            .returns(RuntimeTypes.GRADIENTS);
    parts.addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addParameter(RuntimeTypes.TENSOR, "dY")
        .addParameter(RuntimeTypes.BACKWARD_OPTIONS, "options")
        .addStatement(
            MethodParts.call("return operator.backward", parts.inputNames("null"), "dY", "options"))
        .build();
  }

  private MethodSpec backwardInto() {
    MethodSpec.Builder method =
        MethodParts.method("backwardInto")
            .addJavadoc("Computes the gradients of a loss from that of y into given tensors.\n\n")
            .addJavadoc("@param gradients where to; overlap no input\n")
            .addJavadoc(parts.inputs("", "t"))
            .addJavadoc(dY("gradient"))
            .addJavadoc(OPTIONS)
            .addJavadoc(MethodParts.FAILURES)
            .addParameter(RuntimeTypes.GRADIENTS, "gradients");
    parts.addInputs(method, RuntimeTypes.TENSOR);
    return method
        .addParameter(RuntimeTypes.TENSOR, "dY")
        .addParameter(RuntimeTypes.BACKWARD_OPTIONS, "options")
        .addStatement(
            MethodParts.call(
                "operator.backwardInto", "gradients", parts.inputNames("null"), "dY", "options"))
        .build();
  }

  private MethodSpec backwardAddresses() {
    MethodSpec.Builder method =
        MethodParts.method("backward")
            .addJavadoc(
                """
                Computes the gradients of a loss from that of y over contiguous device memory of the
                caller's; CUDA only. Copies nothing.

                """)
            .addJavadoc(parts.inputs("address of ", "t"))
            .addJavadoc(dY("address of the gradient"))
            .addJavadoc(
                """
                @param dQ address of the gradient of q, like q; written
                @param dK address of the gradient of k, like k; written
                @param dV address of the gradient of v, like v; written
                """);
    if (parts.spec().gated()) {
      method.addJavadoc("@param dLogG address of the gradient of logG, like logG; written\n");
    }
    method
        .addJavadoc(
            """
            @param dInitialState gradient of the initial state, written; null exactly if the options
                have no initial state
            """)
        .addJavadoc(MethodParts.SIZE_TAGS)
        .addJavadoc(OPTIONS)
        .addJavadoc(MethodParts.FAILURES)
        .addJavadoc(MethodParts.CUDA_ONLY);
    parts.addInputs(method, TypeName.LONG);
    for (String address : List.of("dY", "dQ", "dK", "dV")) {
      method.addParameter(TypeName.LONG, address);
    }
    if (parts.spec().gated()) {
      method.addParameter(TypeName.LONG, "dLogG");
    }
    method.addParameter(parts.nullable(RuntimeTypes.STATE), "dInitialState");
    MethodParts.addSizes(method);
    return method
        .addParameter(RuntimeTypes.BACKWARD_OPTIONS, "options")
        .addStatement(
            MethodParts.call(
                "operator.backward",
                parts.inputNames("0L"),
                List.of("dY", "dQ", "dK", "dV", parts.spec().gated() ? "dLogG" : "0L"),
                "dInitialState",
                MethodParts.SIZES,
                "options"))
        .build();
  }

  private CodeBlock dY(String what) {
    return CodeBlock.of("@param dY $L of y $L\n", what, parts.shape("t", "hq"));
  }

  private String inputsInWords() {
    return parts.spec().gated() ? "q, k, v and logG" : "q, k and v";
  }
}
