package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.events.CallEvent;
import org.powerattention.runtime.events.Events;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;

/** A program whose calls Java Flight Recorder sees; where it does not record, they cost nothing. */
final class RecordedProgram extends WrappedProgram {
  private final String operator;
  private final String device;

  RecordedProgram(LoadedProgram program, String operator, String device) {
    super(program);
    this.operator = operator;
    this.device = device;
  }

  @Override
  public void forward(ForwardProblem p) {
    CallEvent event = Events.startCall();
    try {
      program.forward(p);
      done(event);
    } finally {
      commit(event, "forward", p.batch(), p.tokens(), p.queryHeads(), p.keyHeads(), p.chunked());
    }
  }

  @Override
  public void backward(BackwardProblem p) {
    CallEvent event = Events.startCall();
    try {
      program.backward(p);
      done(event);
    } finally {
      commit(event, "backward", p.batch(), p.tokens(), p.queryHeads(), p.keyHeads(), p.chunked());
    }
  }

  @Override
  public void prefill(PrefillProblem p) {
    CallEvent event = Events.startCall();
    try {
      program.prefill(p);
      done(event);
    } finally {
      commit(event, "prefill", p.batch(), p.tokens(), p.queryHeads(), p.keyHeads(), p.chunked());
    }
  }

  @Override
  public void foldWindow(StateView state, int batch, int keyHeads, long stream) {
    CallEvent event = Events.startCall();
    try {
      program.foldWindow(state, batch, keyHeads, stream);
      done(event);
    } finally {
      commit(event, "fold", batch, 0, 0, keyHeads, false);
    }
  }

  @Override
  public void decode(DecodeProblem p) {
    CallEvent event = Events.startCall();
    try {
      program.decode(p);
      done(event);
    } finally {
      commit(event, "decode", p.batch(), 1, p.queryHeads(), p.keyHeads(), false);
    }
  }

  @Override
  public CapturedCall captureDecode(DecodeProblem p) {
    int batch = p.batch();
    int queryHeads = p.queryHeads();
    int keyHeads = p.keyHeads();
    CapturedCall captured = program.captureDecode(p);
    return new CapturedCall() {
      @Override
      public void launch(long stream) {
        CallEvent event = Events.startCall();
        try {
          captured.launch(stream);
          done(event);
        } finally {
          commit(event, "captured decode", batch, 1, queryHeads, keyHeads, false);
        }
      }

      @Override
      public void close() {
        captured.close();
      }
    };
  }

  private static void done(@Nullable CallEvent event) {
    if (event != null) {
      event.completed = true;
    }
  }

  private void commit(
      @Nullable CallEvent event,
      String kind,
      int batch,
      int tokens,
      int queryHeads,
      int keyHeads,
      boolean chunked) {
    if (event != null) {
      event.operator = operator;
      event.kind = kind;
      event.device = device;
      event.batch = batch;
      event.tokens = tokens;
      event.queryHeads = queryHeads;
      event.keyHeads = keyHeads;
      event.chunked = chunked;
      event.commit();
    }
  }
}
