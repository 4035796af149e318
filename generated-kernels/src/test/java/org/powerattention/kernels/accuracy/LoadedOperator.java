package org.powerattention.kernels.accuracy;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/** A generated launcher on a device, whatever its class. */
final class LoadedOperator implements AutoCloseable {
  private final TestOperator operator;
  private final Object launcher;

  LoadedOperator(TestOperator operator, Accelerator accelerator) {
    this.operator = operator;
    this.launcher = call(null, "on", List.of(Accelerator.class), accelerator);
  }

  TestOperator operator() {
    return operator;
  }

  /** Calls {@code forwardInto}; {@code logG} is null exactly if the operator is not gated. */
  void forwardInto(
      Tensor y, Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, ForwardOptions options) {
    List<Object> arguments = new ArrayList<>(List.of(y, q, k, v));
    if (logG != null) {
      arguments.add(logG);
    }
    List<Class<?>> types = new ArrayList<>();
    arguments.forEach(argument -> types.add(Tensor.class));
    arguments.add(options);
    types.add(ForwardOptions.class);
    call(launcher, "forwardInto", types, arguments.toArray());
  }

  /** Calls {@code backward}; {@code logG} is null exactly if the operator is not gated. */
  Gradients backward(
      Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, Tensor dY, BackwardOptions options) {
    List<Object> arguments = new ArrayList<>(List.of(q, k, v));
    if (logG != null) {
      arguments.add(logG);
    }
    arguments.add(dY);
    List<Class<?>> types = new ArrayList<>();
    arguments.forEach(argument -> types.add(Tensor.class));
    arguments.add(options);
    types.add(BackwardOptions.class);
    return (Gradients) call(launcher, "backward", types, arguments.toArray());
  }

  SavedForward newSavedForward(int batch, int tokens, int queryHeads) {
    return (SavedForward)
        call(
            launcher,
            "newSavedForward",
            List.of(int.class, int.class, int.class),
            batch,
            tokens,
            queryHeads);
  }

  State newState(int batch, int keyHeads) {
    return (State) call(launcher, "newState", List.of(int.class, int.class), batch, keyHeads);
  }

  @Override
  public void close() {
    call(launcher, "close", List.of());
  }

  private Object call(
      @Nullable Object target, String name, List<Class<?>> types, Object... arguments) {
    try {
      Method method = operator.launcher().getMethod(name, types.toArray(Class<?>[]::new));
      method.setAccessible(true); // the launchers of tests are package-private
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new AssertionError(operator.name() + "." + name, e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(operator.name() + "." + name, e);
    }
  }
}
