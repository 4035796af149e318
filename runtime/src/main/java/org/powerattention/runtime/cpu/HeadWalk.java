package org.powerattention.runtime.cpu;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.ForwardProblem;

/**
 * One key/value head of one sequence, on its way from chunk to chunk.
 *
 * <p>The state lags {@value #OVERLAP} tokens behind: a chunk's queries meet those tokens before it
 * as keys. Reading a state cancels large terms, which leaves an error of about {@code 1e-7 (|q|
 * |k|)^p}; after a strong gate, when a few recent tokens with small weights are all that counts,
 * that would not be small beside their sum. It is once the gates of the overlap have damped it.
 *
 * <p>A call that continues a window starts with its tokens as the overlap, and its final state is
 * that before the latest {@code lead} tokens, which become the new window.
 */
final class HeadWalk {
  /** Tokens by which the state lags behind: the least chunk. */
  private static final int OVERLAP = KernelSpec.CHUNK_STEP;

  private final ForwardCall call;
  private final @Nullable StateSums state;
  private int batch;
  private int head;

  /** Token of position 0: the state holds all tokens before it. */
  private int base;

  /** Position of the chunk's first token. */
  private int start;

  /** Position after the chunk's last token. */
  private int end;

  /** Position up to which the state takes in tokens at the end of the chunk. */
  private int taken;

  /** Gates from position 0 to the end of the chunk. */
  final Gates gates;

  HeadWalk(ForwardCall call) {
    this.call = call;
    ForwardProblem problem = call.problem;
    boolean stateless =
        problem.initialState() == null
            && problem.finalState() == null
            && call.chunk == problem.tokens();
    this.state = stateless ? null : new StateSums(call.features, call.headDim);
    this.gates = new Gates(problem.logG(), call.chunk + OVERLAP, call.window, problem.keyHeads());
  }

  /**
   * Goes to the start of a head.
   *
   * @param index batch entry times heads plus head
   */
  void begin(int index) {
    batch = index / call.problem.keyHeads();
    head = index % call.problem.keyHeads();
    if (state != null) {
      state.load(call.problem.initialState(), index);
    }
  }

  /** Goes to the chunk that starts at a token. */
  void enter(int token) {
    start = Math.min(token + call.lead, OVERLAP);
    base = token - start;
    end = Math.min(base + start + call.chunk, call.problem.tokens()) - base;
    boolean isLast = base + end == call.problem.tokens();
    taken = isLast ? (call.problem.finalState() == null ? 0 : end - call.lead) : end - OVERLAP;
    gates.load(batch, head, base, end);
  }

  /** Returns how many blocks of rows the chunk's queries make, over all heads of the group. */
  int rowBlocks() {
    return blocksPerHead() * call.group;
  }

  private int blocksPerHead() {
    return (end - start + Workspace.ROWS - 1) / Workspace.ROWS;
  }

  /** Computes one block of output rows. The latest rows come first: they have the most keys. */
  void output(int block, Workspace work) {
    int perHead = blocksPerHead();
    int queryHead = head * call.group + block % call.group;
    int first = start + (perHead - 1 - block / call.group) * Workspace.ROWS;
    int count = Math.min(Workspace.ROWS, end - first);
    call.readQueries(batch, queryHead, base + first, count, work);
    new ChunkAttention(call, work).compute(this, first, count);
    if (state != null && !state.isZero()) {
      addState(state, first, count, work);
    }
    float[] y = new float[call.headDim];
    for (int i = 0; i < count; i++) {
      finish(work.total, i, y);
      call.write(batch, base + first + i, queryHead, y, work);
    }
  }

  private void addState(StateSums sums, int first, int count, Workspace work) {
    int live = gates.liveFromStart(first, first + count);
    sums.read(work, live);
    for (int i = 0; i < live; i++) {
      float factor = gates.sinceStart(first + i);
      for (int c = 0; c < call.features.columns; c++) {
        work.total[c][i] += factor * work.fromState[i][c];
      }
    }
  }

  /** Divides by the sum of weights, the last column, if the operator is normalised. */
  private void finish(float[][] total, int i, float[] y) {
    float divisor = call.problem.spec().normalized() ? total[call.headDim][i] : 1;
    if (divisor == 0) {
      Arrays.fill(y, 0);
      return;
    }
    for (int c = 0; c < y.length; c++) {
      y[c] = total[c][i] / divisor;
    }
  }

  /** Returns whether the state takes in tokens at the end of this chunk. */
  boolean updates() {
    return taken > 0;
  }

  /** Moves a range of the state's entries forward. */
  void update(int fromEntry, int toEntry, Workspace work) {
    StateSums sums = requireState();
    int last = taken - 1;
    if (!sums.isZero() && gates.present()) {
      sums.decay(gates.sinceStart(last), fromEntry, toEntry);
    }
    for (int j = gates.firstLive(last); j < taken; j += Workspace.TOKENS) {
      int count = Math.min(Workspace.TOKENS, taken - j);
      readTokens(j, count, work);
      for (int i = 0; i < count; i++) {
        Vectors.scale(work.values[i], gates.between(last, j + i), call.features.columns);
      }
      sums.add(work, count, fromEntry, toEntry);
    }
  }

  /** Ends an update, after all ranges. */
  void leave() {
    requireState().markFilled();
  }

  /** Writes the state after the last chunk, if it is asked for. */
  void end() {
    if (call.problem.finalState() != null) {
      requireState().store(call.problem.finalState(), batch * call.problem.keyHeads() + head);
    }
  }

  private StateSums requireState() {
    if (state == null) {
      throw new IllegalStateException("a walk without a state");
    }
    return state;
  }

  /** Reads keys and values from position j on. */
  void readTokens(int j, int count, Workspace work) {
    call.readTokens(batch, head, base + j, count, work);
  }
}
