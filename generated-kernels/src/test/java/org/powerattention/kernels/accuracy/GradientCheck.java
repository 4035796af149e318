package org.powerattention.kernels.accuracy;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.kernels.accuracy.DeviceInputs.Arrangement;
import org.powerattention.kernels.accuracy.Measurement.Result;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * Measures an operator's gradients: both forms, strong and weak gates, several lengths, with what
 * the forward call kept and without, in one call and in several that states join.
 */
final class GradientCheck {
  /** Rounding errors of terms that cancel are judged beside this share of them. */
  private static final double TERMS = 1e-2;

  private final Accelerator device;
  private final LoadedOperator operator;
  private final KernelSpec spec;
  private final int mostTokens;
  private final List<Measurement> measurements = new ArrayList<>();

  GradientCheck(Accelerator device, LoadedOperator operator, int mostTokens) {
    this.device = device;
    this.operator = operator;
    this.spec = operator.operator().spec();
    this.mostTokens = mostTokens;
  }

  /** Returns all errors. */
  List<Measurement> run() {
    compile();
    int longest = Math.min(mostTokens, 4 * spec.chunk() + 65);
    List<Gates> gates = spec.gated() ? List.of(Gates.STRONG, Gates.WEAK) : List.of(Gates.NONE);
    for (Gates distribution : gates) {
      measure(distribution, 1, 2, 4, 2, Arrangement.CONTIGUOUS);
      measure(distribution, 77, 2, 4, 2, Arrangement.ODD);
      measure(distribution, longest, 1, 2, 1, Arrangement.PACKED);
    }
    return measurements;
  }

  /** Has the backward kernels compiled before the device is taken: many at once. */
  private void compile() {
    int d = spec.headDim();
    Sequences one = Sequences.random(1, 1, 1, 1, d, Gates.NONE, d);
    try (DeviceInputs in = new DeviceInputs(device, spec, one, Arrangement.CONTIGUOUS);
        Gradients unused =
            operator.backward(in.q, in.k, in.v, in.logG, in.y, BackwardOptions.defaults())) {
      device.synchronize();
    }
  }

  private void measure(
      Gates gates, int tokens, int batch, int queryHeads, int keyHeads, Arrangement arrangement) {
    int d = spec.headDim();
    Sequences sequences =
        Sequences.random(batch, tokens, queryHeads, keyHeads, d, gates, 31L * tokens + d);
    Sequences upstream =
        Sequences.random(batch, tokens, queryHeads, keyHeads, d, Gates.NONE, 7L * tokens + d);
    List<Outcome> outcomes = new ArrayList<>();
    Sequences rounded;
    float[] dYRounded;
    synchronized (device) {
      try (DeviceInputs in = new DeviceInputs(device, spec, sequences, arrangement);
          Tensor dY = device.tensor(spec.dtype(), upstream.q(), batch, tokens, queryHeads, d)) {
        rounded = in.rounded(sequences);
        dYRounded = dY.toFloats();
        for (Form form : List.of(Form.ATTENTION, Form.CHUNKED)) {
          outcomes.add(inOneCall(in, dY, form, false));
          outcomes.add(inOneCall(in, dY, form, true));
        }
        if (tokens > 1) {
          int joint = tokens * 2 / 5;
          outcomes.add(inCalls(in, dY, keyHeads, batch, 0, joint, tokens));
          // Through a short call in between, what precedes it meets what follows it.
          outcomes.add(inCalls(in, dY, keyHeads, batch, 0, joint, joint + 2, tokens));
        }
      }
    }
    GradientReference reference = new GradientReference(spec, rounded, dYRounded);
    for (Outcome outcome : outcomes) {
      outcome.compare(this, reference, gates, tokens);
    }
  }

  private Outcome inOneCall(DeviceInputs in, Tensor dY, Form form, boolean save) {
    Tensor q = in.q;
    long[] shape = q.shape();
    BackwardOptions options = BackwardOptions.defaults().form(form);
    if (!save) {
      try (Gradients gradients = operator.backward(q, in.k, in.v, in.logG, dY, options)) {
        return Outcome.of(List.of(gradients));
      }
    }
    try (SavedForward saved =
        operator.newSavedForward((int) shape[0], (int) shape[1], (int) shape[2])) {
      operator.forwardInto(
          in.y, q, in.k, in.v, in.logG, ForwardOptions.defaults().form(form).save(saved));
      try (Gradients gradients =
          operator.backward(q, in.k, in.v, in.logG, dY, options.saved(saved))) {
        return Outcome.of(List.of(gradients));
      }
    }
  }

  /** Each call goes on from the state of the one before; gradients of states go back. */
  private Outcome inCalls(DeviceInputs in, Tensor dY, int keyHeads, int batch, int... bounds) {
    int calls = bounds.length - 1;
    List<State> states = new ArrayList<>();
    List<Gradients> gradients = new ArrayList<>();
    try {
      for (int call = 0; call + 1 < calls; call++) {
        states.add(operator.newState(batch, keyHeads));
        ForwardOptions options =
            ForwardOptions.defaults().form(Form.CHUNKED).finalState(states.get(call));
        int from = bounds[call];
        int to = bounds[call + 1];
        operator.forwardInto(
            in.y.slice(1, from, to),
            in.q.slice(1, from, to),
            in.k.slice(1, from, to),
            in.v.slice(1, from, to),
            slice(in.logG, from, to),
            call == 0 ? options : options.initialState(states.get(call - 1)));
      }
      for (int call = calls - 1; call >= 0; call--) {
        BackwardOptions options = BackwardOptions.defaults().form(Form.CHUNKED);
        if (call > 0) {
          options = options.initialState(states.get(call - 1));
        }
        if (call + 1 < calls) {
          options = options.dFinalState(gradients.get(0).dInitialState().orElseThrow());
        }
        gradients.add(0, part(in, dY, bounds[call], bounds[call + 1], options));
      }
      return Outcome.of(gradients);
    } finally {
      gradients.forEach(Gradients::close);
      states.forEach(State::close);
    }
  }

  private Gradients part(DeviceInputs in, Tensor dY, int from, int to, BackwardOptions options) {
    return operator.backward(
        in.q.slice(1, from, to),
        in.k.slice(1, from, to),
        in.v.slice(1, from, to),
        slice(in.logG, from, to),
        dY.slice(1, from, to),
        options);
  }

  private static @Nullable Tensor slice(@Nullable Tensor tensor, int from, int to) {
    return tensor == null ? null : tensor.slice(1, from, to);
  }

  /** Gradients on the host, in pieces along the tokens. */
  private record Outcome(
      List<float[]> dQ, List<float[]> dK, List<float[]> dV, List<float[]> dLogG, int batch) {
    static Outcome of(List<Gradients> parts) {
      return new Outcome(
          parts.stream().map(part -> part.dQ().toFloats()).toList(),
          parts.stream().map(part -> part.dK().toFloats()).toList(),
          parts.stream().map(part -> part.dV().toFloats()).toList(),
          parts.stream()
              .map(Gradients::dLogG)
              .flatMap(Optional::stream)
              .map(Tensor::toFloats)
              .toList(),
          (int) parts.get(0).dQ().shape()[0]);
    }

    void compare(GradientCheck check, GradientReference reference, Gates gates, int tokens) {
      check.add(Result.DQ, gates, tokens, error(dQ, reference.dQ, reference.queryTerms));
      check.add(Result.DK, gates, tokens, error(dK, reference.dK, reference.keyTerms));
      check.add(Result.DV, gates, tokens, error(dV, reference.dV, null));
      if (!dLogG.isEmpty()) {
        double error = error(dLogG, reference.dLogG, null);
        // Of a token alone no pair spans the gate.
        check.add(Result.DLOGG, gates, tokens, tokens == 1 && Double.isNaN(error) ? 0 : error);
      }
    }

    private double error(List<float[]> parts, double[] expected, double @Nullable [] terms) {
      double differences = 0;
      double squares = 0;
      double termSquares = 0;
      int perSequence = expected.length / batch;
      int offset = 0;
      for (float[] part : parts) {
        int length = part.length / batch;
        for (int i = 0; i < part.length; i++) {
          int at = i / length * perSequence + offset + i % length;
          double difference = part[i] - expected[at];
          differences += difference * difference;
          squares += expected[at] * expected[at];
          termSquares += terms == null ? 0 : terms[at] * terms[at];
        }
        offset += length;
      }
      return Math.sqrt(differences) / (Math.sqrt(squares) + TERMS * Math.sqrt(termSquares));
    }
  }

  private void add(Result result, Gates gates, int tokens, double error) {
    measurements.add(
        new Measurement(operator.operator().name(), spec, result, gates, tokens, error));
  }

  /** Greatest error of a gradient that is accepted. */
  static double limit(DType dtype) {
    return switch (dtype) {
      case BF16 -> 1e-2;
      case FP16 -> 5e-3;
      case FP32 -> 1e-4;
    };
  }
}
