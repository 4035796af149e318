package org.powerattention.kernels.accuracy;

import java.util.ArrayList;
import java.util.List;
import org.powerattention.annotations.FeatureMap;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Tensor;

/**
 * A tuple of tiles' features of one head's state.
 *
 * @param sequence index of the sequence
 * @param head index of the key/value head
 * @param tuple index of the tuple of tiles
 * @param sums [tau^p, d]
 * @param keySums [tau^p]; empty if the operator is not normalised
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier, never compared
record StateSample(int sequence, int head, int tuple, float[] sums, float[] keySums) {
  /** Returns tuples of the first and the last head, evenly spread, the first and last included. */
  static List<StateSample> of(State state, int count) {
    FeatureMap features = state.spec().featureMap();
    int tuples = features.tileTuples();
    int steps = Math.min(count, tuples) - 1;
    List<StateSample> samples = new ArrayList<>();
    for (int i = 0; i <= steps; i++) {
      int tuple = steps == 0 ? 0 : (int) ((long) i * (tuples - 1) / steps);
      boolean last = i % 2 == 1;
      int sequence = last ? state.batch() - 1 : 0;
      int head = last ? state.keyHeads() - 1 : 0;
      long from = (long) tuple * features.featuresPerTuple();
      long to = from + features.featuresPerTuple();
      samples.add(
          new StateSample(
              sequence,
              head,
              tuple,
              part(state.sums(), sequence, head, from, to),
              state
                  .keySums()
                  .map(sums -> part(sums, sequence, head, from, to))
                  .orElse(new float[0])));
    }
    return samples;
  }

  private static float[] part(Tensor tensor, int sequence, int head, long from, long to) {
    return tensor.select(0, sequence).select(0, head).slice(0, from, to).toFloats();
  }

  /** Adds the differences from the formula. */
  void compare(Reference reference, ErrorSum errors) {
    double[][] expected = reference.state(sequence, head, tuple);
    for (int f = 0; f < expected.length; f++) {
      int d = expected[f].length - 1;
      for (int c = 0; c < d; c++) {
        errors.add(sums[f * d + c], expected[f][c]);
      }
      if (keySums.length > 0) {
        errors.add(keySums[f], expected[f][d]);
      }
    }
  }
}
