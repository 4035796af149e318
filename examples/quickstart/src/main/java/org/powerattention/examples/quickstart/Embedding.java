package org.powerattention.examples.quickstart;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;

/**
 * Turns texts into vectors: each text has a random direction of its own, on the unit sphere, the
 * same in every run. Two such vectors are nearly orthogonal; the more dimensions, the more nearly.
 *
 * @param dimensions size of a vector
 * @param seed tells one embedding from another, such as that of keys from that of values
 */
record Embedding(int dimensions, long seed) {
  /** Returns the vectors of some texts, one after the other: {@code [texts, dimensions]}. */
  float[] of(List<String> texts) {
    float[] vectors = new float[Math.multiplyExact(texts.size(), dimensions)];
    for (int i = 0; i < texts.size(); i++) {
      write(texts.get(i), vectors, i * dimensions);
    }
    return vectors;
  }

  private void write(String text, float[] target, int offset) {
    CRC32 hash = new CRC32();
    hash.update(text.getBytes(StandardCharsets.UTF_8));
    Random random = new Random(hash.getValue() << 16 ^ seed);
    double squares = 0;
    for (int i = 0; i < dimensions; i++) {
      // A normal distribution in each coordinate is the same in every direction.
      float coordinate = (float) random.nextGaussian();
      target[offset + i] = coordinate;
      squares += (double) coordinate * coordinate;
    }
    float length = (float) Math.sqrt(squares);
    for (int i = 0; i < dimensions; i++) {
      target[offset + i] /= length;
    }
  }
}
