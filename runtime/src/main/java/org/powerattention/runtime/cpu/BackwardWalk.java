package org.powerattention.runtime.cpu;

import java.util.stream.DoubleStream;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.StateView;

/**
 * A head on its way through a backward call: once through the chunks from first to last with the
 * state, for the gradients of the queries, and once back with the gradient of the state, for those
 * of keys and values. Neither states nor anything else per pair or feature is kept between steps.
 */
final class BackwardWalk implements HeadWalk<BackwardWorkspace> {
  private final BackwardCall call;
  private final Inputs inputs;
  private final BackwardProblem problem;
  private final ChunkWindow window;
  private final QueryRows queryRows;
  private final GateGradient gateGradient;

  /** The state, and on the way back its gradient. */
  private final StateSums state;

  /**
   * For each entry, its share of what rows behind the first chunk have from the initial state;
   * empty where none is asked for.
   */
  private final double[] spanning;

  private int index;
  private int chunk;
  private boolean back;

  BackwardWalk(BackwardCall call) {
    this.call = call;
    this.inputs = call.inputs;
    this.problem = call.problem;
    this.window = new ChunkWindow(inputs);
    this.queryRows = new QueryRows(call);
    this.gateGradient = new GateGradient(inputs);
    boolean stateless =
        inputs.chunks <= 1 && problem.initialState() == null && problem.dFinalState() == null;
    this.state =
        stateless
            ? StateSums.alwaysZero(inputs.features, inputs.headDim)
            : new StateSums(inputs.features, inputs.headDim);
    boolean spans = problem.dInitialState() != null && problem.dLogG() != null;
    this.spanning = new double[spans ? inputs.features.rows : 0];
  }

  @Override
  public void begin(int head) {
    index = head;
    window.begin(head);
    gateGradient.begin();
    state.load(problem.initialState(), head);
    if (inputs.chunks == 0) {
      state.loadGradient(problem.dFinalState(), head);
    }
  }

  @Override
  public void enter(int step) {
    back = step >= inputs.chunks;
    chunk = back ? 2 * inputs.chunks - 1 - step : step;
    window.enter(chunk);
    if (step == inputs.chunks) {
      state.loadGradient(problem.dFinalState(), index);
    }
    if (!back) {
      gateGradient.enter();
    }
  }

  @Override
  public int blocks() {
    return back ? keyBlocks() : window.rowBlocks() * inputs.group;
  }

  /** The overlap is a block of keys of its own, so that the others are those of the rows. */
  private int keyBlocks() {
    int own = window.taken() - window.start();
    return (window.start() > 0 ? 1 : 0) + (own + Workspace.ROWS - 1) / Workspace.ROWS;
  }

  @Override
  public void block(int block, BackwardWorkspace work) {
    if (back) {
      keys(block, work);
    } else {
      int rowBlock = window.rowBlocks() - 1 - block / inputs.group;
      new RowGradients(call, window, gateGradient, work)
          .compute(state, queryRows, block % inputs.group, rowBlock);
    }
  }

  private void keys(int block, BackwardWorkspace work) {
    int first;
    int rowsEnd;
    if (window.start() > 0 && block == 0) {
      first = 0;
      rowsEnd = window.start();
    } else {
      first = window.start() + (window.start() > 0 ? block - 1 : block) * Workspace.ROWS;
      rowsEnd = Math.min(first + Workspace.ROWS, window.end());
    }
    int end = Math.min(rowsEnd, window.taken());
    new KeyGradients(call, window, work)
        .compute(state, queryRows, gateGradient, first, end - first, end == rowsEnd);
  }

  @Override
  public boolean updates() {
    return back
        ? chunk > 0 || problem.dInitialState() != null
        : !window.isLast() && window.taken() > 0;
  }

  @Override
  public void update(int fromEntry, int toEntry, BackwardWorkspace work) {
    if (back) {
      retreat(fromEntry, toEntry, work.rows);
    } else {
      state.advance(window, window.taken(), fromEntry, toEntry, work.rows);
    }
  }

  /** Moves the gradient of the state to before the window: its queries are added. */
  private void retreat(int fromEntry, int toEntry, Workspace work) {
    Gates gates = window.gates;
    if (!state.isZero() && gates.present() && window.taken() > 0) {
      state.decay(gates.sinceStart(window.taken() - 1), fromEntry, toEntry);
    }
    StateView initial = problem.initialState();
    if (chunk == 0 && spanning.length > 0 && initial != null) {
      for (int entry = fromEntry; entry < toEntry; entry++) {
        spanning[entry] = state.isZero() ? 0 : state.dot(initial, index, entry);
      }
    }
    int live = gates.liveFromStart(window.start(), window.end());
    for (int member = 0; member < inputs.group; member++) {
      for (int i = 0; i < live; i += Workspace.TOKENS) {
        int first = window.start() + i;
        int count = Math.min(Workspace.TOKENS, live - i);
        queryRows.read(window, member, first, count, work);
        if (gates.present()) {
          for (int row = 0; row < count; row++) {
            Vectors.scale(work.values[row], gates.sinceStart(first + row), inputs.features.columns);
          }
        }
        state.add(work, count, fromEntry, toEntry);
      }
    }
  }

  @Override
  public void leave() {
    if (updates()) {
      state.markFilled();
    }
    if (!back) {
      gateGradient.leave(chunk, window);
    }
  }

  @Override
  public void end() {
    @Nullable StateView dInitial = problem.dInitialState();
    if (dInitial != null) {
      state.weigh();
      state.store(dInitial, index);
    }
    if (problem.dLogG() != null) {
      call.writeGates(
          window.sequence(), window.head(), gateGradient.finish(DoubleStream.of(spanning).sum()));
    }
  }
}
