package org.powerattention.kernels.accuracy;

import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.DecodeStep;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.ServeOptions;
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
    new Call()
        .add(Tensor.class, y)
        .inputs(q, k, v, logG)
        .add(ForwardOptions.class, options)
        .to("forwardInto");
  }

  /** Calls {@code prefillInto}. */
  void prefillInto(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ServeOptions options) {
    serving(y, state, q, k, v, logG, options).to("prefillInto");
  }

  /** Calls {@code decodeInto}. */
  void decodeInto(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ServeOptions options) {
    serving(y, state, q, k, v, logG, options).to("decodeInto");
  }

  /** Calls {@code captureDecode}. */
  DecodeStep captureDecode(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ServeOptions options) {
    return (DecodeStep) serving(y, state, q, k, v, logG, options).to("captureDecode");
  }

  private Call serving(
      Tensor y,
      State state,
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor logG,
      ServeOptions options) {
    return new Call()
        .add(Tensor.class, y)
        .add(State.class, state)
        .inputs(q, k, v, logG)
        .add(ServeOptions.class, options);
  }

  /** Calls {@code loadState}. */
  State loadState(InputStream source) {
    return (State) new Call().add(InputStream.class, source).to("loadState");
  }

  /** Calls {@code backward}; {@code logG} is null exactly if the operator is not gated. */
  Gradients backward(
      Tensor q, Tensor k, Tensor v, @Nullable Tensor logG, Tensor dY, BackwardOptions options) {
    return (Gradients)
        new Call()
            .inputs(q, k, v, logG)
            .add(Tensor.class, dY)
            .add(BackwardOptions.class, options)
            .to("backward");
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

  /** Arguments of a call of the launcher. */
  private final class Call {
    private final List<Class<?>> types = new ArrayList<>();
    private final List<Object> arguments = new ArrayList<>();

    Call add(Class<?> type, Object argument) {
      types.add(type);
      arguments.add(argument);
      return this;
    }

    Call inputs(Tensor q, Tensor k, Tensor v, @Nullable Tensor logG) {
      add(Tensor.class, q).add(Tensor.class, k).add(Tensor.class, v);
      return logG == null ? this : add(Tensor.class, logG);
    }

    Object to(String name) {
      return call(launcher, name, types, arguments.toArray());
    }
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
