package org.powerattention.runtime.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;
import org.powerattention.runtime.spi.TensorView;
import org.powerattention.runtime.spi.WindowView;

/**
 * The sequences of a case on their way through a state, each at its own position. Collects the
 * output in {@link #y}.
 */
final class Served {
  final Case inputs;
  final CpuProgram program;
  final StateView state;
  final float[] y;

  /** The next token of each sequence. */
  final int[] position;

  private final KernelSpec spec;
  private final int capacity;

  Served(Case inputs) {
    this(inputs, new CpuProgram(inputs.spec));
  }

  Served(Case inputs, CpuProgram program) {
    this.inputs = inputs;
    this.program = program;
    this.spec = inputs.spec;
    this.capacity = Math.min(128, spec.chunk());
    this.y = new float[inputs.outputs()];
    Arrays.fill(y, Float.NaN);
    this.position = new int[inputs.batch];
    long heads = (long) inputs.batch * inputs.keyHeads;
    long slots = heads * capacity;
    int d = spec.headDim();
    this.state =
        new StateView(
            allocate(heads * spec.featureDim() * d * 4),
            spec.normalized() ? allocate(heads * spec.featureDim() * 4) : null,
            new WindowView(
                capacity,
                allocate(slots * d * spec.dtype().bytes()),
                allocate(slots * d * spec.dtype().bytes()),
                spec.gated() ? allocate(slots * 4) : null,
                allocate(heads * 8)));
  }

  private static Memory allocate(long bytes) {
    return new CpuBackend().allocate(bytes);
  }

  /** Returns the number of tokens in the window of a head, counted over all sequences. */
  int windowLength(int head) {
    return spans().getInt(8 * head + 4);
  }

  /** Turns the empty ring of every head so that the next token goes to a slot. */
  void startWindowAt(int slot) {
    for (int head = 0; head < inputs.batch * inputs.keyHeads; head++) {
      spans().putInt(8 * head, slot);
    }
  }

  private ByteBuffer spans() {
    return CpuMemory.bufferOf(window().spans()).duplicate().order(ByteOrder.nativeOrder());
  }

  private WindowView window() {
    return java.util.Objects.requireNonNull(state.window());
  }

  /** The next tokens of all sequences, or of one alone, as tensors of their own. */
  private final class Piece {
    final Case part;
    final int sequence;
    final int batch;
    final StateView state;
    final Case.View q;
    final Case.View k;
    final Case.View v;
    final Case.@Nullable View logG;
    final Case.View output;

    /** A sequence of -1 stands for all. */
    Piece(int tokens, int sequence) {
      this.sequence = sequence;
      this.batch = sequence < 0 ? inputs.batch : 1;
      this.state = sequence < 0 ? Served.this.state : alone(sequence);
      part = new Case(spec, batch, tokens, inputs.queryHeads, inputs.keyHeads, -1, 0);
      part.padding = inputs.padding;
      int d = spec.headDim();
      q = part.new View(spec.dtype(), inputs.queryHeads, d, null);
      k = part.new View(spec.dtype(), inputs.keyHeads, d, null);
      v = part.new View(spec.dtype(), inputs.keyHeads, d, null);
      logG = spec.gated() ? part.new View(DType.FP32, inputs.keyHeads, 1, null) : null;
      output = part.new View(spec.dtype(), inputs.queryHeads, d, null);
      read();
    }

    /** Takes the tokens from the case that come next. */
    void read() {
      int d = spec.headDim();
      move(inputs.q, part.q, inputs.queryHeads * d, true);
      move(inputs.k, part.k, inputs.keyHeads * d, true);
      move(inputs.v, part.v, inputs.keyHeads * d, true);
      q.fill(part.q);
      k.fill(part.k);
      v.fill(part.v);
      if (inputs.logG != null && part.logG != null && logG != null) {
        move(inputs.logG, part.logG, inputs.keyHeads, true);
        logG.fill(part.logG);
      }
    }

    @Nullable TensorView gates() {
      return logG == null ? null : logG.view;
    }

    /** Copies tokens between the case and the piece. */
    void move(float[] whole, float[] piece, int width, boolean toPiece) {
      for (int b = 0; b < batch; b++) {
        int n = sequence < 0 ? b : sequence;
        int at = (n * inputs.tokens + position[n]) * width;
        int pieceAt = b * part.tokens * width;
        int count = part.tokens * width;
        if (toPiece) {
          System.arraycopy(whole, at, piece, pieceAt, count);
        } else {
          System.arraycopy(piece, pieceAt, whole, at, count);
        }
      }
    }

    /** Keeps the output and moves the sequences on. */
    void finish() {
      move(y, output.values(), inputs.queryHeads * spec.headDim(), false);
      for (int b = 0; b < batch; b++) {
        position[sequence < 0 ? b : sequence] += part.tokens;
      }
    }
  }

  void prefill(int tokens, boolean chunked) {
    prefill(tokens, chunked, -1);
  }

  /** Prefills one sequence alone; -1 for all. */
  void prefill(int tokens, boolean chunked, int sequence) {
    Piece piece = new Piece(tokens, sequence);
    program.prefill(
        new PrefillProblem(
            spec,
            piece.batch,
            tokens,
            inputs.queryHeads,
            inputs.keyHeads,
            inputs.scale,
            chunked,
            piece.q.view,
            piece.k.view,
            piece.v.view,
            piece.gates(),
            piece.output.view,
            piece.state,
            0));
    piece.finish();
  }

  void decode(int tokens) {
    decode(tokens, -1);
  }

  /** Decodes tokens of one sequence alone, one after another; -1 for all. */
  void decode(int tokens, int sequence) {
    for (int i = 0; i < tokens; i++) {
      Piece piece = new Piece(1, sequence);
      program.decode(problem(piece));
      piece.finish();
    }
  }

  /** A captured call that decodes the next token of all sequences whenever it is launched. */
  final class Captured implements AutoCloseable {
    private final Piece piece = new Piece(1, -1);
    final CapturedCall call = program.captureDecode(problem(piece));

    void decode(int tokens) {
      for (int i = 0; i < tokens; i++) {
        piece.read();
        call.launch(0);
        piece.finish();
      }
    }

    @Override
    public void close() {
      call.close();
    }
  }

  private DecodeProblem problem(Piece piece) {
    return new DecodeProblem(
        spec,
        piece.batch,
        inputs.queryHeads,
        inputs.keyHeads,
        inputs.scale,
        piece.q.view,
        piece.k.view,
        piece.v.view,
        piece.gates(),
        piece.output.view,
        piece.state,
        allocate(program.decodeWorkspaceBytes(piece.batch, inputs.queryHeads, inputs.keyHeads)),
        0);
  }

  void fold() {
    program.foldWindow(state, inputs.batch, inputs.keyHeads, 0);
  }

  /** Folds, and continues by a forward call. */
  void forward(int tokens, boolean chunked) {
    fold();
    Piece piece = new Piece(tokens, -1);
    StateView sums = new StateView(state.sums(), state.keySums(), null);
    program.forward(
        new ForwardProblem(
            spec,
            inputs.batch,
            tokens,
            inputs.queryHeads,
            inputs.keyHeads,
            inputs.scale,
            chunked,
            piece.q.view,
            piece.k.view,
            piece.v.view,
            piece.gates(),
            piece.output.view,
            sums,
            sums,
            null,
            null,
            0));
    piece.finish();
  }

  /** The state of one sequence, in the same memory. */
  private StateView alone(int sequence) {
    WindowView window = window();
    Memory keySums = state.keySums();
    Memory logGates = window.logGates();
    return new StateView(
        slice(state.sums(), sequence),
        keySums == null ? null : slice(keySums, sequence),
        new WindowView(
            capacity,
            slice(window.keys(), sequence),
            slice(window.values(), sequence),
            logGates == null ? null : slice(logGates, sequence),
            slice(window.spans(), sequence)));
  }

  private Memory slice(Memory memory, int sequence) {
    int bytes = (int) memory.bytes() / inputs.batch;
    return CpuBackend.wrap(
        CpuMemory.bufferOf(memory).slice(sequence * bytes, bytes).order(ByteOrder.nativeOrder()));
  }

  /** Relative L2 distance of a head's sums from those of the formula after the last token. */
  double stateError(int head) {
    float[] sums = Case.floats(state.sums());
    float[] keySums = state.keySums() == null ? new float[0] : Case.floats(state.keySums());
    int d = spec.headDim();
    Reference reference = new Reference(inputs);
    double difference = 0;
    double norm = 0;
    double keyDifference = 0;
    double keyNorm = 0;
    double[][] expected = reference.finalState(head / inputs.keyHeads, head % inputs.keyHeads);
    for (int f = 0; f < expected.length; f++) {
      int feature = head * expected.length + f;
      for (int c = 0; c < d; c++) {
        difference += Math.pow(sums[feature * d + c] - expected[f][c], 2);
        norm += Math.pow(expected[f][c], 2);
      }
      if (spec.normalized()) {
        keyDifference += Math.pow(keySums[feature] - expected[f][d], 2);
        keyNorm += Math.pow(expected[f][d], 2);
      }
    }
    return Math.sqrt(Math.max(difference / norm, spec.normalized() ? keyDifference / keyNorm : 0));
  }
}
