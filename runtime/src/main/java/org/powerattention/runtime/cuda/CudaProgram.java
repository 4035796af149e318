package org.powerattention.runtime.cuda;

import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;

/** A program on a device, in parts that are compiled and loaded when they are first used. */
final class CudaProgram implements LoadedProgram {
  private final CudaBackend backend;
  private final ProgramPart<ForwardTiling, CudaForward> forward;

  /** Loads a program; its forward part at once, so that what cannot be compiled shows here. */
  CudaProgram(CudaBackend backend, KernelProgram program) {
    this.backend = backend;
    this.forward =
        new ProgramPart<>(
            backend,
            program,
            program.forward(),
            (tiling, module) -> new CudaForward(program.spec(), tiling, module, backend));
    CudaForward unused = forward.get();
  }

  @Override
  public void forward(ForwardProblem problem) {
    backend.context().run(() -> forward.get().launch(problem));
  }

  @Override
  public void close() {
    forward.close();
  }
}
