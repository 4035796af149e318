package org.powerattention.runtime;

import org.powerattention.runtime.events.Ranges;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;

/** A program with a range around each call, named by its kind and the operator. */
final class RangedProgram extends WrappedProgram {
  private final Ranges ranges;
  private final String operator;

  RangedProgram(LoadedProgram program, Ranges ranges, String operator) {
    super(program);
    this.ranges = ranges;
    this.operator = operator;
  }

  private void within(String kind, Runnable call) {
    ranges.push(kind + " " + operator);
    try {
      call.run();
    } finally {
      ranges.pop();
    }
  }

  @Override
  public void forward(ForwardProblem problem) {
    within("forward", () -> program.forward(problem));
  }

  @Override
  public void backward(BackwardProblem problem) {
    within("backward", () -> program.backward(problem));
  }

  @Override
  public void prefill(PrefillProblem problem) {
    within("prefill", () -> program.prefill(problem));
  }

  @Override
  public void foldWindow(StateView state, int batch, int keyHeads, long stream) {
    within("fold", () -> program.foldWindow(state, batch, keyHeads, stream));
  }

  @Override
  public void decode(DecodeProblem problem) {
    within("decode", () -> program.decode(problem));
  }

  @Override
  public CapturedCall captureDecode(DecodeProblem problem) {
    CapturedCall captured = program.captureDecode(problem);
    return new CapturedCall() {
      @Override
      public void launch(long stream) {
        within("captured decode", () -> captured.launch(stream));
      }

      @Override
      public void close() {
        captured.close();
      }
    };
  }
}
