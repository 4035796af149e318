package org.powerattention.runtime.cpu;

import org.powerattention.annotations.KernelSpec;

/**
 * The tokens that a chunk's queries meet as keys: its own and, where there are any before it, the
 * {@value #OVERLAP} before it. All other tokens they meet through the state, which lags behind by
 * as many tokens.
 *
 * <p>Reading a state cancels large terms, which leaves an error of about {@code 1e-7 (|q| |k|)^p};
 * after a strong gate, when a few recent tokens with small weights are all that counts, that would
 * not be small beside their sum. It is once the gates of the overlap have damped it.
 *
 * <p>Where a call continues earlier tokens, they are the overlap of its first chunk; the state
 * after its last chunk leaves out as many.
 */
final class ChunkWindow {
  /** Tokens by which the state lags behind: the least chunk. */
  static final int OVERLAP = KernelSpec.CHUNK_STEP;

  private final Inputs inputs;
  private int sequence;
  private int head;

  /** Token of position 0: the state holds all tokens before it. */
  private int base;

  /** Position of the chunk's first token. */
  private int start;

  /** Position after the chunk's last token. */
  private int end;

  /** Gates from position 0 to the end of the chunk. */
  final Gates gates;

  ChunkWindow(Inputs inputs) {
    this.inputs = inputs;
    this.gates = new Gates(inputs.logG, inputs.chunk + OVERLAP, inputs.earlier, inputs.keyHeads);
  }

  /** Goes to a head: sequence times heads plus head. */
  void begin(int index) {
    sequence = index / inputs.keyHeads;
    head = index % inputs.keyHeads;
  }

  /** Goes to a chunk. */
  void enter(int chunk) {
    int token = chunk * inputs.chunk;
    start = Math.min(token + inputs.lead, OVERLAP);
    base = token - start;
    end = Math.min(token + inputs.chunk, inputs.span.tokens()) - base;
    gates.load(sequence, head, inputs.span.firstToken() + base, end);
  }

  /** Returns the sequence. */
  int sequence() {
    return sequence;
  }

  /** Returns the key/value head. */
  int head() {
    return head;
  }

  /** Returns the token of position 0. */
  int base() {
    return base;
  }

  /** Returns the position of the chunk's first token. */
  int start() {
    return start;
  }

  /** Returns the position after the chunk's last token. */
  int end() {
    return end;
  }

  /** Returns whether no chunk follows. */
  boolean isLast() {
    return base + end == inputs.span.tokens();
  }

  /** Returns the position from which on tokens are keys of the next chunk or call too. */
  int taken() {
    return isLast() ? end - inputs.lead : end - OVERLAP;
  }

  /** Returns how many blocks of rows the queries of one head make. */
  int rowBlocks() {
    return (end - start + Workspace.ROWS - 1) / Workspace.ROWS;
  }

  /** Reads keys and values from position j on. */
  void readTokens(int j, int count, Workspace work) {
    for (int i = 0; i < count; i++) {
      inputs.readKey(sequence, base + j + i, head, work.keys[i], work.halves);
      inputs.readValue(sequence, base + j + i, head, work.values[i], work.halves);
    }
  }

  /** Reads queries of one head of the group from position i on, as lanes. */
  void readQueries(int member, int i, int count, Workspace work) {
    inputs.readQueries(sequence, queryHead(member), base + i, count, work);
  }

  /** Returns the query head that is a member of the group. */
  int queryHead(int member) {
    return head * inputs.group + member;
  }
}
