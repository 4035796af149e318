package org.powerattention.kernels.accuracy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.DecodeStep;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.ServeOptions;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/** Sequences on their way through a state, call by call; outputs go to the inputs' y. */
final class Serving implements AutoCloseable {
  private static final long MOST_FILE_BYTES = 64 << 20;

  private final LoadedOperator operator;
  private final DeviceInputs in;
  private final int batch;
  private final int keyHeads;
  private final Captured captured;
  private State state;
  private int position;

  /** Starts before the first token. */
  Serving(Accelerator device, LoadedOperator operator, DeviceInputs in) {
    this.operator = operator;
    this.in = in;
    this.batch = Math.toIntExact(in.q.shape()[0]);
    this.keyHeads = Math.toIntExact(in.k.shape()[2]);
    this.state = operator.newState(batch, keyHeads);
    this.captured = new Captured(device);
  }

  /** Returns the next token. */
  int position() {
    return position;
  }

  /** Returns the state before the next token. */
  State state() {
    return state;
  }

  /**
   * Serves the first tokens sequence by sequence, each in its own way so that their windows differ,
   * and puts them together.
   */
  void startApart(int tokens) {
    for (int n = 0; n < batch; n++) {
      try (State alone = operator.newState(1, keyHeads)) {
        int prefilled = (n + 1) * tokens / batch;
        if (prefilled > 0) {
          prefill(alone, n, n + 1, 0, prefilled);
        }
        for (int token = prefilled; token < tokens; token++) {
          decode(alone, n, n + 1, token);
        }
        state.replace(n, alone, 0);
      }
    }
    position = tokens;
  }

  void prefill(int tokens) {
    prefill(state, 0, batch, position, position + tokens);
    position += tokens;
  }

  private void prefill(State target, int from, int to, int first, int last) {
    Form form = first % 2 == 0 ? Form.ATTENTION : Form.CHUNKED;
    operator.prefillInto(
        part(in.y, from, to, first, last),
        target,
        part(in.q, from, to, first, last),
        part(in.k, from, to, first, last),
        part(in.v, from, to, first, last),
        in.logG == null ? null : part(in.logG, from, to, first, last),
        ServeOptions.defaults().form(form));
  }

  void decode(int tokens) {
    for (int i = 0; i < tokens; i++) {
      decode(state, 0, batch, position++);
    }
  }

  private void decode(State target, int from, int to, int token) {
    operator.decodeInto(
        part(in.y, from, to, token, token + 1),
        target,
        part(in.q, from, to, token, token + 1),
        part(in.k, from, to, token, token + 1),
        part(in.v, from, to, token, token + 1),
        in.logG == null ? null : part(in.logG, from, to, token, token + 1),
        ServeOptions.defaults());
  }

  /** Decodes by a captured call. */
  void launch(int tokens) {
    try (DecodeStep step = captured.step(state)) {
      for (int i = 0; i < tokens; i++) {
        captured.fill(position);
        step.launch();
        part(in.y, 0, batch, position, position + 1).copyFrom(captured.y.toFloats());
        position++;
      }
    }
  }

  /** Continues by a forward call from the state to the state. */
  void forward(int tokens) {
    int end = position + tokens;
    operator.forwardInto(
        part(in.y, 0, batch, position, end),
        part(in.q, 0, batch, position, end),
        part(in.k, 0, batch, position, end),
        part(in.v, 0, batch, position, end),
        in.logG == null ? null : part(in.logG, 0, batch, position, end),
        ForwardOptions.defaults().initialState(state).finalState(state));
    position = end;
  }

  /** Goes on with what a file would hold, unless that is too large for this test's memory. */
  void saveAndLoad() {
    if (state.bytes() > MOST_FILE_BYTES) {
      return;
    }
    try {
      ByteArrayOutputStream file = new ByteArrayOutputStream();
      state.save(file);
      replace(operator.loadState(new ByteArrayInputStream(file.toByteArray())));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Goes on with another state that takes the sequences over, one by one. */
  void moveSequences() {
    State other = operator.newState(batch, keyHeads);
    for (int n = 0; n < batch; n++) {
      other.replace(n, state, n);
    }
    replace(other);
  }

  private void replace(State other) {
    state.close();
    state = other;
  }

  private static Tensor part(Tensor whole, int fromSequence, int toSequence, int from, int to) {
    return whole.slice(0, fromSequence, toSequence).slice(1, from, to);
  }

  @Override
  public void close() {
    state.close();
    captured.close();
  }

  /** Tensors of one token, which a captured call reads and writes each time. */
  private final class Captured implements AutoCloseable {
    private final List<Tensor> owned = new ArrayList<>();
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;
    private final @Nullable Tensor logG;
    final Tensor y;

    Captured(Accelerator device) {
      q = like(device, in.q);
      k = like(device, in.k);
      v = like(device, in.v);
      logG = in.logG == null ? null : like(device, in.logG);
      y = like(device, in.y);
    }

    private Tensor like(Accelerator device, Tensor tensor) {
      long[] shape = tensor.shape();
      shape[1] = 1;
      Tensor made = device.zeros(tensor.dtype(), shape);
      owned.add(made);
      return made;
    }

    DecodeStep step(State target) {
      return operator.captureDecode(y, target, q, k, v, logG, ServeOptions.defaults());
    }

    void fill(int token) {
      q.copyFrom(part(in.q, 0, batch, token, token + 1).toFloats());
      k.copyFrom(part(in.k, 0, batch, token, token + 1).toFloats());
      v.copyFrom(part(in.v, 0, batch, token, token + 1).toFloats());
      if (logG != null && in.logG != null) {
        logG.copyFrom(part(in.logG, 0, batch, token, token + 1).toFloats());
      }
    }

    @Override
    public void close() {
      owned.forEach(Tensor::close);
    }
  }
}
