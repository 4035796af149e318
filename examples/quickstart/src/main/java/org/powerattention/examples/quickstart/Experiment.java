package org.powerattention.examples.quickstart;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Stores growing parts of a document in each of several memories, and asks each of them back.
 *
 * @param document what to store
 * @param memories where to store it
 */
record Experiment(Document document, List<AssociativeMemory> memories) {
  /** Least and greatest number of associations that are stored. */
  static final int LEAST = 16;

  static final int MOST = 16_384;

  /** Questions asked at most, spread evenly over what is stored. */
  static final int QUESTIONS = 512;

  /** Returns the numbers of associations that are stored: the powers of two the document has. */
  List<Integer> sizes() {
    List<Integer> sizes = new ArrayList<>();
    for (int size = LEAST; size <= Math.min(MOST, document.associations()); size *= 2) {
      sizes.add(size);
    }
    return sizes;
  }

  /** Returns the associations that {@link #run} stores in all. */
  long work() {
    return sizes().stream().mapToLong(Integer::longValue).sum() * memories.size();
  }

  /**
   * Runs it.
   *
   * @param progress told, after each step, how many associations that step stored
   * @return one measurement for each size and memory, by size
   */
  List<Measurement> run(IntConsumer progress) {
    List<Measurement> measurements = new ArrayList<>();
    for (int size : sizes()) {
      float[] keys = keys(size);
      float[] values = values(size);
      for (AssociativeMemory memory : memories) {
        measurements.add(measure(memory, keys, values));
        progress.accept(size);
      }
    }
    return measurements;
  }

  private float[] keys(int size) {
    return new Embedding(Memories.HEAD_DIM, 1).of(document.pairs().subList(0, size));
  }

  private float[] values(int size) {
    return new Embedding(Memories.HEAD_DIM, 2).of(document.pairs().subList(1, size + 1));
  }

  private static Measurement measure(AssociativeMemory memory, float[] keys, float[] values) {
    int stored = Vectors.count(keys);
    int[] asked = spread(stored, Math.min(stored, QUESTIONS));
    float[] queries = Vectors.gather(keys, asked);

    long start = System.nanoTime();
    memory.memorise(keys, values);
    long memorised = System.nanoTime();
    float[] answers = memory.recall(queries);
    long recalled = System.nanoTime();

    return new Measurement(
        memory.name(),
        stored,
        share(asked, Vectors.nearest(answers, values)),
        memory.bytes(),
        stored / seconds(memorised - start),
        asked.length / seconds(recalled - memorised));
  }

  /** Returns {@code count} positions spread evenly over {@code 0 .. size - 1}. */
  static int[] spread(int size, int count) {
    int[] positions = new int[count];
    Arrays.setAll(positions, i -> (int) ((long) i * size / count));
    return positions;
  }

  /** Returns the share of positions at which two arrays agree. */
  static double share(int[] expected, int[] actual) {
    int right = 0;
    for (int i = 0; i < expected.length; i++) {
      if (expected[i] == actual[i]) {
        right++;
      }
    }
    return (double) right / expected.length;
  }

  private static double seconds(long nanoseconds) {
    return Math.max(1, nanoseconds) / 1e9;
  }
}
