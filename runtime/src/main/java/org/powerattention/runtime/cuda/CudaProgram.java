package org.powerattention.runtime.cuda;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.BackwardTiling;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.ServingTiling;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.CallChoice;
import org.powerattention.runtime.spi.CallShape;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.PackedView;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;

/** A program on a device, in parts that are compiled and loaded when they are first used. */
final class CudaProgram implements LoadedProgram {
  private final CudaBackend backend;
  private final KernelProgram program;
  private final ProgramPart<ForwardTiling, CudaForward> forward;
  private final ProgramPart<BackwardTiling, CudaBackward> backward;
  private final ProgramPart<ServingTiling, CudaServing> serving;

  /** Loads a program; its forward part at once, so that what cannot be compiled shows here. */
  CudaProgram(CudaBackend backend, KernelProgram program) {
    this.backend = backend;
    this.program = program;
    this.forward =
        new ProgramPart<>(
            backend,
            program,
            program.forward(),
            (tiling, module) -> new CudaForward(program.spec(), tiling, module, backend));
    this.backward =
        new ProgramPart<>(
            backend,
            program,
            program.backward(),
            (tiling, module) -> new CudaBackward(program.spec(), tiling, module, backend));
    this.serving =
        new ProgramPart<>(
            backend,
            program,
            program.serving(),
            (tiling, module) ->
                new CudaServing(program.spec(), tiling, module, backend, forward.get()));
    CudaForward unused = forward.get();
  }

  @Override
  public void forward(ForwardProblem problem) {
    backend.context().run(() -> forward.get().launch(problem));
  }

  @Override
  public List<CallChoice> choices(CallShape shape) {
    return forward.get().segments(shape).stream()
        .map(chunks -> new CallChoice(true, chunks))
        .toList();
  }

  @Override
  public void choose(CallShape shape, CallChoice choice) {
    forward.get().choose(shape, choice.chunksPerSegment());
  }

  @Override
  public String measured(CallShape shape, Supplier<String> measure) {
    // The sources are part of the key: others may be faster another way.
    List<String> where = List.of("tuning", backend.device().toString(), shape.toString());
    String key = KernelCache.key(forward.sources(), where, program.spec().toString());
    byte[] kept =
        backend
            .environment()
            .cache()
            .get(key, () -> measure.get().getBytes(StandardCharsets.UTF_8));
    return new String(kept, StandardCharsets.UTF_8);
  }

  @Override
  public long keptStateBytes(
      CallShape shape, boolean chunked, boolean initialState, @Nullable PackedView packed) {
    CudaForward kernels = forward.get();
    // The first chunk reads a state only if the caller has one.
    boolean reads = initialState || chunked && shape.tokens() > program.spec().chunk();
    return program.spec().keepsStates() && reads
        ? kernels.keptStates(shape, chunked, packed).bytes()
        : 0;
  }

  @Override
  public void backward(BackwardProblem problem) {
    backend.context().run(() -> backward.get().launch(problem, forward.get()));
  }

  @Override
  public void prefill(PrefillProblem problem) {
    backend.context().run(() -> serving.get().prefill(problem));
  }

  @Override
  public void foldWindow(StateView state, int batch, int keyHeads, long stream) {
    backend.context().run(() -> serving.get().foldWindow(state, batch, keyHeads, stream));
  }

  @Override
  public long decodeWorkspaceBytes(int batch, int queryHeads, int keyHeads) {
    return serving.get().decodeWorkspaceBytes(batch, queryHeads, keyHeads);
  }

  @Override
  public void decode(DecodeProblem problem) {
    backend.context().run(() -> serving.get().decode(problem));
  }

  @Override
  public CapturedCall captureDecode(DecodeProblem problem) {
    return serving.get().captureDecode(problem);
  }

  @Override
  public void close() {
    forward.close();
    backward.close();
    serving.close();
  }
}
