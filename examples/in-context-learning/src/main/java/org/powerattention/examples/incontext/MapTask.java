package org.powerattention.examples.incontext;

import java.util.Random;

/**
 * Each document draws a random map from N keys to M values and streams pairs of a key and its
 * value, with keys drawn uniformly. What follows a key can only be known if the key came before, so
 * after n pairs no model does better than {@code (1 - 1/N)^n ln M} on average.
 *
 * @param size the numbers of keys, values and pairs
 */
record MapTask(Size size) implements Task {
  private static final long EVALUATION = 1L << 40;

  @Override
  public String name() {
    return "map";
  }

  /** Keys, then values, then what stands before the first token. */
  @Override
  public int vocabulary() {
    return size.keys() + size.values() + 1;
  }

  @Override
  public int length() {
    return 2 * size.pairs() - 1;
  }

  @Override
  public int stride() {
    return 2;
  }

  @Override
  public boolean rotary() {
    return false;
  }

  @Override
  public Documents training(int count, long seed) {
    return documents(count, new Random(seed));
  }

  @Override
  public Documents evaluation(int count, long seed) {
    return documents(count, new Random(EVALUATION + seed));
  }

  private Documents documents(int count, Random random) {
    int[][] tokens = new int[count][2 * size.pairs() + 1];
    for (int[] document : tokens) {
      int[] map = random.ints(size.keys(), 0, size.values()).toArray();
      document[0] = vocabulary() - 1;
      for (int pair = 0; pair < size.pairs(); pair++) {
        int key = random.nextInt(size.keys());
        document[2 * pair + 1] = key;
        document[2 * pair + 2] = size.keys() + map[key];
      }
    }
    return new Documents(tokens);
  }

  @Override
  public double optimum(int position) {
    return Math.pow(1 - 1.0 / size.keys(), position) * Math.log(size.values());
  }

  @Override
  public int batch() {
    return size.mapBatch();
  }

  @Override
  public int fingerprint() {
    return 0; // it follows from the size
  }

  @Override
  public double learningRate() {
    return size.mapRate();
  }

  @Override
  public int steps() {
    return size.mapSteps();
  }
}
