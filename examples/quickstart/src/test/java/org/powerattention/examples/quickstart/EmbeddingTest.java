package org.powerattention.examples.quickstart;

import static com.google.common.truth.Truth.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class EmbeddingTest {
  private static final Embedding EMBEDDING = new Embedding(Memories.HEAD_DIM, 1);

  @Test
  void vectorsHaveLengthOne() {
    float[] vectors = EMBEDDING.of(List.of("one", "two"));

    assertThat(Vectors.dot(vectors, 0, vectors, 0)).isWithin(1e-6f).of(1);
    assertThat(Vectors.dot(vectors, 1, vectors, 1)).isWithin(1e-6f).of(1);
  }

  @Test
  void aTextHasOneVectorPerSeed() {
    assertThat(EMBEDDING.of(List.of("one"))).isEqualTo(EMBEDDING.of(List.of("one")));
    assertThat(new Embedding(Memories.HEAD_DIM, 2).of(List.of("one")))
        .isNotEqualTo(EMBEDDING.of(List.of("one")));
  }

  @Test
  void differentTextsAreNearlyOrthogonal() {
    int count = 200;
    float[] vectors = EMBEDDING.of(IntStream.range(0, count).mapToObj(i -> "word " + i).toList());
    double squares = 0;
    for (int i = 1; i < count; i++) {
      squares += Math.pow(Vectors.dot(vectors, 0, vectors, i), 2);
    }

    // The square of a product of independent unit vectors is 1 / dimensions in the mean.
    assertThat(squares / (count - 1) * Memories.HEAD_DIM).isWithin(0.4).of(1);
  }
}
