package org.powerattention.processor.write;

import com.palantir.javapoet.ClassName;
import com.palantir.javapoet.MethodSpec;
import java.util.ArrayList;
import java.util.List;
import javax.lang.model.element.Modifier;
import org.powerattention.annotations.KernelSpec;

/** The methods of a launcher, in the order in which they are written. */
final class LauncherMethods {
  private LauncherMethods() {}

  static List<MethodSpec> of(KernelSpec spec, ClassName launcher, boolean nullness) {
    MethodParts parts = new MethodParts(spec, nullness);
    List<MethodSpec> methods = new ArrayList<>();
    methods.add(on(launcher));
    methods.addAll(ForwardMethods.of(parts));
    methods.addAll(BackwardMethods.of(parts));
    methods.addAll(StateMethods.of());
    methods.addAll(ServingMethods.of(parts));
    methods.add(operator());
    methods.add(close());
    return methods;
  }

  private static MethodSpec on(ClassName launcher) {
    return MethodParts.method("on")
        .addModifiers(Modifier.STATIC)
        .addJavadoc(
            """
            Loads the operator on a device. For CUDA, its kernels are compiled the first time and kept
            in a cache on disk: those of forward now, the others when they are first used.

            @param accelerator the device, to be closed after the launcher
            """)
        .returns(launcher)
        .addParameter(RuntimeTypes.ACCELERATOR, "accelerator")
        .addStatement(
            "return new $T($T.load(accelerator, PROGRAM))", launcher, RuntimeTypes.OPERATOR)
        .build();
  }

  private static MethodSpec operator() {
    return MethodParts.method("operator")
        .addJavadoc(
            """
            Returns what this launcher delegates to, for code that works with any launcher. Closing one
            closes the other.

            @return the operator, whose methods take null for log gates where there are none
            """)
        .returns(RuntimeTypes.OPERATOR)
        .addStatement("return operator")
        .build();
  }

  private static MethodSpec close() {
    return MethodParts.method("close")
        .addJavadoc("Unloads the operator. Closing again does nothing.\n")
        .addAnnotation(Override.class)
        .addStatement("operator.close()")
        .build();
  }
}
