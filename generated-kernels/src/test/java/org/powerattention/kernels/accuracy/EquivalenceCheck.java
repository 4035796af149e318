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

/**
 * Measures that it does not matter how a sequence is split into calls: by prefill calls, by decode
 * calls, by launches of a captured one, and by all kinds of calls in turn, outputs and state are
 * those of the formula.
 */
final class EquivalenceCheck {
  private static final int BATCH = 2;
  private static final int QUERY_HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int SAMPLED_TOKENS = 64;
  private static final int SAMPLED_TUPLES = 6;

  private final Accelerator device;
  private final LoadedOperator operator;
  private final KernelSpec spec;
  private final int tokens;

  /**
   * Checks an operator on the device it has been loaded on.
   *
   * @param tokens tokens of each sequence
   */
  EquivalenceCheck(Accelerator device, LoadedOperator operator, int tokens) {
    this.device = device;
    this.operator = operator;
    this.spec = operator.operator().spec();
    this.tokens = tokens;
  }

  /** Returns the errors of all ways to split the sequences. */
  List<Measurement> run() {
    List<Measurement> measurements = new ArrayList<>();
    List<Gates> gates = spec.gated() ? List.of(Gates.STRONG, Gates.WEAK) : List.of(Gates.NONE);
    for (Gates distribution : gates) {
      Arrangement arrangement = distribution == Gates.WEAK ? Arrangement.ODD : Arrangement.PACKED;
      measurements.addAll(run(distribution, arrangement));
    }
    return measurements;
  }

  private List<Measurement> run(Gates gates, Arrangement arrangement) {
    Sequences sequences =
        Sequences.random(
            BATCH,
            tokens,
            QUERY_HEADS,
            KEY_HEADS,
            spec.headDim(),
            gates,
            spec.toString().hashCode());
    List<Measurement> measurements = new ArrayList<>();
    try (DeviceInputs in = new DeviceInputs(device, spec, sequences, arrangement)) {
      Reference reference = new Reference(spec, in.rounded(sequences));
      for (Result way : List.of(Result.PREFILL, Result.DECODE, Result.CAPTURED, Result.MIXED)) {
        in.poisonOutput();
        try (Serving serving = new Serving(device, operator, in)) {
          serve(serving, way);
          ErrorSum outputs = new ErrorSum();
          compare(in.output(), sequences, reference, outputs);
          ErrorSum states = new ErrorSum();
          StateSample.of(serving.state(), SAMPLED_TUPLES)
              .forEach(sample -> sample.compare(reference, states));
          measurements.add(measurement(way, gates, outputs));
          measurements.add(measurement(Result.STATE, gates, states));
        }
      }
    }
    return measurements;
  }

  private void serve(Serving serving, Result way) {
    SplittableRandom random =
        new SplittableRandom(spec.toString().hashCode() + way.name().hashCode());
    if (way == Result.MIXED) {
      serving.startApart(1 + random.nextInt(90));
    }
    while (serving.position() < tokens) {
      int left = tokens - serving.position();
      int some = Math.min(left, 1 + random.nextInt(random.nextBoolean() ? 8 : 150));
      switch (way) {
        case PREFILL -> serving.prefill(some);
        case DECODE -> serving.decode(some);
        case CAPTURED -> serving.launch(some);
        default -> {
          switch (random.nextInt(8)) {
            case 0 -> serving.forward(some);
            case 1 -> serving.saveAndLoad();
            case 2 -> serving.moveSequences();
            case 3 -> serving.launch(some);
            case 4, 5 -> serving.prefill(some);
            default -> serving.decode(some);
          }
        }
      }
    }
  }

  private void compare(float[] output, Sequences sequences, Reference reference, ErrorSum errors) {
    Set<Integer> sample = new TreeSet<>(List.of(0, tokens - 1));
    SplittableRandom random = new SplittableRandom(tokens);
    while (sample.size() < Math.min(tokens, SAMPLED_TOKENS)) {
      sample.add(random.nextInt(tokens));
    }
    for (int token = 0; token < tokens; token++) {
      for (int b = 0; b < BATCH; b++) {
        for (int head = 0; head < QUERY_HEADS; head++) {
          int row = sequences.queryRow(b, token, head);
          if (sample.contains(token)) {
            double[] expected = reference.output(b, token, head);
            for (int c = 0; c < expected.length; c++) {
              errors.add(output[row + c], expected[c]);
            }
          } else if (Float.isNaN(output[row])) {
            errors.add(Double.NaN, 0);
          }
        }
      }
    }
  }

  private Measurement measurement(Result result, Gates gates, ErrorSum errors) {
    return new Measurement(
        operator.operator().name(), spec, result, gates, tokens, errors.relative());
  }
}
