package org.powerattention.processor.write;

import com.palantir.javapoet.MethodSpec;
import com.palantir.javapoet.TypeName;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;

/** The launcher's methods that return states. */
final class StateMethods {
  private StateMethods() {}

  static List<MethodSpec> of() {
    return List.of(newState(), loadState(), loadStateFile(), copyOf());
  }

  private static MethodSpec newState() {
    return MethodParts.method("newState")
        .addJavadoc(
            """
            Returns a state of zeros: that of sequences without a token so far.

            @param batch sequences b
            @param keyHeads key/value heads h
            @return the state, to be closed
            @throws IllegalArgumentException if a size is not positive
            @throws IllegalStateException if the launcher is closed
            """)
        .returns(RuntimeTypes.STATE)
        .addParameter(TypeName.INT, "batch")
        .addParameter(TypeName.INT, "keyHeads")
        .addStatement("return operator.newState(batch, keyHeads)")
        .build();
  }

  private static MethodSpec loadState() {
    return MethodParts.method("loadState")
        .addJavadoc(
            """
            Reads a state that {@link $T#save} wrote, and nothing after it.

            @param source where from; it stays open
            @return the state, to be closed
            @throws IOException if the stream fails, or does not hold a whole state of this operator;
                the message says what it holds
            @throws IllegalStateException if the launcher is closed
            """,
            RuntimeTypes.STATE)
        .returns(RuntimeTypes.STATE)
        .addParameter(InputStream.class, "source")
        .addException(IOException.class)
        .addStatement("return operator.loadState(source)")
        .build();
  }

  private static MethodSpec loadStateFile() {
    return MethodParts.method("loadState")
        .addJavadoc(
            """
            Reads a file that {@link $T#save} wrote.

            @param file where from
            @return the state, to be closed
            @throws IOException if it cannot be read, or is not a state of this operator and nothing
                else; the message says what it holds
            @throws IllegalStateException if the launcher is closed
            """,
            RuntimeTypes.STATE)
        .returns(RuntimeTypes.STATE)
        .addParameter(Path.class, "file")
        .addException(IOException.class)
        .addStatement("return operator.loadState(file)")
        .build();
  }

  private static MethodSpec copyOf() {
    return MethodParts.method("copyOf")
        .addJavadoc(
            """
            Copies a state to this launcher's device.

            @param state a state of this operator on any device
            @return the copy, to be closed
            @throws IllegalArgumentException if the state is another operator's
            @throws IllegalStateException if the launcher or the state is closed
            """)
        .returns(RuntimeTypes.STATE)
        .addParameter(RuntimeTypes.STATE, "state")
        .addStatement("return state.copyTo(operator)")
        .build();
  }
}
