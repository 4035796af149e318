package org.powerattention.runtime;

import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.CallChoice;
import org.powerattention.runtime.spi.CallShape;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.PackedView;

/** A program around whose calls something is done; the rest is the program's own. */
abstract class WrappedProgram implements LoadedProgram {
  final LoadedProgram program;

  WrappedProgram(LoadedProgram program) {
    this.program = program;
  }

  @Override
  public final List<CallChoice> choices(CallShape shape) {
    return program.choices(shape);
  }

  @Override
  public final void choose(CallShape shape, CallChoice choice) {
    program.choose(shape, choice);
  }

  @Override
  public final String measured(CallShape shape, Supplier<String> measure) {
    return program.measured(shape, measure);
  }

  @Override
  public final long keptStateBytes(
      CallShape shape, boolean chunked, boolean initialState, @Nullable PackedView packed) {
    return program.keptStateBytes(shape, chunked, initialState, packed);
  }

  @Override
  public final long decodeWorkspaceBytes(int batch, int queryHeads, int keyHeads) {
    return program.decodeWorkspaceBytes(batch, queryHeads, keyHeads);
  }

  @Override
  public final void close() {
    program.close();
  }
}
