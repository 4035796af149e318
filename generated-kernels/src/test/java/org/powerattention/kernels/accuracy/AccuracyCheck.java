package org.powerattention.kernels.accuracy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.kernels.accuracy.DeviceInputs.Arrangement;
import org.powerattention.kernels.accuracy.Measurement.Result;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.State;

/**
 * Measures an operator: both forms, strong and weak gates, several lengths, and the state.
 *
 * <p>Long sequences are compared at a sample of their tokens, large states at a sample of their
 * features.
 */
final class AccuracyCheck {
  private static final int SAMPLED_TOKENS = 48;
  private static final int SAMPLED_TUPLES = 6;

  private final Accelerator device;
  private final LoadedOperator operator;
  private final KernelSpec spec;
  private final Workload workload;
  private final List<Measurement> measurements = new ArrayList<>();

  /** Checks an operator on the device it has been loaded on. */
  AccuracyCheck(Accelerator device, LoadedOperator operator, Workload workload) {
    this.device = device;
    this.operator = operator;
    this.spec = operator.operator().spec();
    this.workload = workload;
  }

  /** Returns all errors that the workload asks for. */
  List<Measurement> run() {
    List<Gates> gates = spec.gated() ? List.of(Gates.STRONG, Gates.WEAK) : List.of(Gates.NONE);
    for (Gates distribution : gates) {
      int arrangement = distribution == Gates.WEAK ? 1 : 0;
      for (int tokens : workload.tokens(spec)) {
        Arrangement[] all = Arrangement.values();
        outputs(distribution, tokens, all[arrangement++ % all.length]);
      }
      if (workload.splitTokens(spec) > 0) {
        for (Form form : List.of(Form.ATTENTION, Form.CHUNKED)) {
          continued(distribution, workload.splitTokens(spec), form);
        }
      }
    }
    return measurements;
  }

  /** Both forms on whole sequences. */
  private void outputs(Gates gates, int tokens, Arrangement arrangement) {
    Sequences sequences = sequences(gates, tokens);
    List<Form> forms = workload.forms(spec, tokens);
    List<float[]> outputs = new ArrayList<>();
    Sequences rounded;
    // One operator at a time has the device, and its memory; references are computed meanwhile.
    synchronized (device) {
      try (DeviceInputs in = new DeviceInputs(device, spec, sequences, arrangement)) {
        rounded = in.rounded(sequences);
        for (Form form : forms) {
          in.poisonOutput();
          operator.forwardInto(
              in.y, in.q, in.k, in.v, in.logG, ForwardOptions.defaults().form(form));
          outputs.add(in.output());
        }
      }
    }
    Reference reference = new Reference(spec, rounded);
    List<Double> errors = outputErrors(reference, rounded, outputs);
    for (int i = 0; i < forms.size(); i++) {
      add(Result.valueOf(forms.get(i).name()), gates, tokens, errors.get(i));
    }
  }

  /** The same in two calls, the second one continuing from the state of the first. */
  private void continued(Gates gates, int tokens, Form form) {
    Sequences sequences = sequences(gates, tokens);
    int split = (tokens + 1) * 2 / 5;
    Sequences rounded;
    float[] output;
    List<StateSample> samples;
    synchronized (device) {
      try (DeviceInputs in = new DeviceInputs(device, spec, sequences, Arrangement.PACKED);
          State state = operator.newState(sequences.batch(), sequences.keyHeads())) {
        rounded = in.rounded(sequences);
        in.poisonOutput();
        forwardPart(in, 0, split, ForwardOptions.defaults().form(form).finalState(state));
        forwardPart(
            in,
            split,
            tokens,
            ForwardOptions.defaults().form(form).initialState(state).finalState(state));
        output = in.output();
        samples = StateSample.of(state, SAMPLED_TUPLES);
      }
    }
    Reference reference = new Reference(spec, rounded);
    List<Double> errors = outputErrors(reference, rounded, List.of(output));
    add(Result.valueOf(form.name()), gates, tokens, errors.get(0));
    ErrorSum sums = new ErrorSum();
    samples.forEach(sample -> sample.compare(reference, sums));
    add(Result.STATE, gates, tokens, sums.relative());
  }

  private void forwardPart(DeviceInputs in, int from, int to, ForwardOptions options) {
    operator.forwardInto(
        in.y.slice(1, from, to),
        in.q.slice(1, from, to),
        in.k.slice(1, from, to),
        in.v.slice(1, from, to),
        in.logG == null ? null : in.logG.slice(1, from, to),
        options);
  }

  private Sequences sequences(Gates gates, int tokens) {
    Workload.Heads heads = workload.heads(spec, tokens);
    return Sequences.random(
        heads.batch(), tokens, heads.query(), heads.key(), spec.headDim(), gates, tokens);
  }

  /** Errors of several outputs at the same sample of tokens. */
  private List<Double> outputErrors(
      Reference reference, Sequences sequences, List<float[]> outputs) {
    List<ErrorSum> sums = outputs.stream().map(output -> new ErrorSum()).toList();
    for (int token : sampledTokens(sequences.tokens())) {
      for (int b = 0; b < sequences.batch(); b++) {
        for (int head = 0; head < sequences.queryHeads(); head++) {
          double[] expected = reference.output(b, token, head);
          int row = sequences.queryRow(b, token, head);
          for (int i = 0; i < outputs.size(); i++) {
            for (int c = 0; c < expected.length; c++) {
              sums.get(i).add(outputs.get(i)[row + c], expected[c]);
            }
          }
        }
      }
    }
    for (float[] output : outputs) {
      for (float value : output) {
        if (!Float.isFinite(value)) {
          throw new AssertionError(
              operator.operator() + ", t = " + sequences.tokens() + ": y has " + value);
        }
      }
    }
    return sums.stream().map(ErrorSum::relative).toList();
  }

  /** The first and last tokens, those about the chunks' bounds, and others at random. */
  private Set<Integer> sampledTokens(int tokens) {
    Set<Integer> sample = new TreeSet<>(List.of(0, tokens - 1));
    for (int bound = spec.chunk(); bound < tokens && sample.size() < 12; bound += spec.chunk()) {
      sample.add(bound - 1);
      sample.add(bound);
    }
    SplittableRandom random = new SplittableRandom(tokens);
    while (sample.size() < Math.min(tokens, SAMPLED_TOKENS)) {
      sample.add(random.nextInt(tokens));
    }
    return sample;
  }

  private void add(Result result, Gates gates, int tokens, double error) {
    measurements.add(
        new Measurement(operator.operator().name(), spec, result, gates, tokens, error));
  }
}
