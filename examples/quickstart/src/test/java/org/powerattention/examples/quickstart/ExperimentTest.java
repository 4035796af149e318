package org.powerattention.examples.quickstart;

import static com.google.common.truth.Truth.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class ExperimentTest {
  /** Answers every query with the first value that was stored. */
  private static final class FirstValueMemory implements AssociativeMemory {
    private float[] values = {};

    @Override
    public String name() {
      return "first";
    }

    @Override
    public void memorise(float[] keys, float[] newValues) {
      values = newValues;
    }

    @Override
    public float[] recall(float[] queries) {
      return Vectors.gather(values, new int[Vectors.count(queries)]);
    }

    @Override
    public long bytes() {
      return 7;
    }

    @Override
    public void close() {}
  }

  private static Document document(int pairs) {
    String text =
        IntStream.range(0, pairs)
            .mapToObj(i -> "w" + i + " v" + i)
            .collect(Collectors.joining(" "));
    return Document.of("numbers", text);
  }

  @Test
  void sizesArePowersOfTwoThatTheDocumentHas() {
    assertThat(new Experiment(document(100), List.of()).sizes())
        .containsExactly(16, 32, 64)
        .inOrder();
    assertThat(new Experiment(document(16), List.of()).sizes()).isEmpty();
    assertThat(new Experiment(document(17), List.of()).sizes()).containsExactly(16);
  }

  @Test
  void softmaxRecallsAllAndAConstantAnswerOne() {
    Document document = document(40);
    List<Integer> steps = new ArrayList<>();
    Experiment experiment =
        new Experiment(document, List.of(new SoftmaxMemory(), new FirstValueMemory()));

    List<Measurement> measurements = experiment.run(steps::add);

    assertThat(measurements.stream().map(Measurement::memory))
        .containsExactly("softmax", "first", "softmax", "first")
        .inOrder();
    assertThat(measurements.stream().map(Measurement::recall))
        .containsExactly(1.0, 1 / 16.0, 1.0, 1 / 32.0)
        .inOrder();
    assertThat(measurements.get(2).bytes()).isEqualTo(2L * 32 * Memories.HEAD_DIM * Float.BYTES);
    assertThat(steps).containsExactly(16, 16, 32, 32).inOrder();
    assertThat(experiment.work()).isEqualTo(96);
  }

  @Test
  void questionsAreSpreadOverAllThatIsStored() {
    assertThat(Experiment.spread(8, 4)).asList().containsExactly(0, 2, 4, 6).inOrder();
    assertThat(Experiment.spread(3, 3)).asList().containsExactly(0, 1, 2).inOrder();
  }

  @Test
  void recallIsTheShareOfRightAnswers() {
    assertThat(Experiment.share(new int[] {1, 2, 3, 4}, new int[] {1, 0, 3, 0})).isEqualTo(0.5);
  }
}
