package org.powerattention.examples.incontext;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.powerattention.runtime.Accelerator;

final class RunTest {
  private static final byte[] TEXT =
      "To be, or not to be, that is the question. ".repeat(80).getBytes(StandardCharsets.UTF_8);

  private final Accelerator device = Accelerator.cpu();

  @AfterEach
  void close() {
    device.close();
  }

  @ParameterizedTest
  @EnumSource(Arm.class)
  void whatWasKilledEndsAsIfItHadNotBeen(Arm arm, @TempDir Path directory) throws IOException {
    Task task = new MapTask(Size.SMOKE);
    Run whole = new Run(Size.SMOKE, task, arm, 1, directory.resolve("whole"));
    Run killed = new Run(Size.SMOKE, task, arm, 1, directory.resolve("killed"));
    Outcome expected = whole.train(device, task.steps(), (run, loss) -> {});
    killed.train(device, 3, (run, loss) -> {});
    Outcome actual = killed.train(device, task.steps(), (run, loss) -> {});
    assertThat(actual.lossByPosition())
        .usingExactEquality()
        .containsExactly(expected.lossByPosition())
        .inOrder();
    assertThat(actual.curve().stream().map(Curve::loss).toList())
        .isEqualTo(expected.curve().stream().map(Curve::loss).toList());
    // It has learned something, so the test can tell one run from another.
    assertThat(expected.curve().get(7).loss()).isNotEqualTo(expected.curve().get(0).loss());
  }

  @ParameterizedTest
  @EnumSource(
      value = Arm.class,
      names = {"POWER", "LINEAR", "SOFTMAX"})
  void tokensOneByOneAreReadAsAllAtOnce(Arm arm, @TempDir Path directory) throws IOException {
    Task task = new TextTask(Size.SMOKE, TEXT);
    int[] tokens = task.evaluation(1, 1).tokens()[0];
    try (TrainedModel model = new TrainedModel(Size.SMOKE, task, arm, 1, device)) {
      float[] whole;
      try (Session session = new Session(model, tokens.length)) {
        whole = session.read(tokens);
      }
      try (Session session = new Session(model, tokens.length)) {
        session.read(Arrays.copyOf(tokens, 30));
        float[] last = {};
        for (int i = 30; i < tokens.length; i++) {
          last = session.read(tokens[i]);
        }
        assertThat(last).usingTolerance(1e-3).containsExactly(whole).inOrder();
      }
    }
  }

  @Test
  void aCheckpointOfAnotherTextOrSizeIsRefused(@TempDir Path directory) throws IOException {
    Task task = new TextTask(Size.SMOKE, TEXT);
    new Run(Size.SMOKE, task, Arm.LINEAR, 1, directory).train(device, 1, (run, loss) -> {});
    byte[] text = TEXT.clone();
    text[7] = '!';
    Run other = new Run(Size.SMOKE, new TextTask(Size.SMOKE, text), Arm.LINEAR, 1, directory);
    Exception e =
        assertThrows(IOException.class, () -> other.train(device, task.steps(), (run, loss) -> {}));
    assertThat(e).hasMessageThat().contains("another size or text");
    // Of another number of steps, it is another file.
    Size longer = Size.of("smoke:9");
    Run longerRun = new Run(longer, new TextTask(longer, TEXT), Arm.LINEAR, 1, directory);
    Outcome outcome = longerRun.train(device, 9, (run, loss) -> {});
    assertThat(outcome.curve().stream().map(Curve::step).toList())
        .containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9)
        .inOrder();
    assertThrows(IllegalArgumentException.class, () -> Size.of("huge"));
    assertThrows(IllegalArgumentException.class, () -> Size.of("small:0"));
  }

  @Test
  void theWindowForgetsWhatSoftmaxRemembers() {
    Task task = new MapTask(Size.SMALL);
    Documents document = task.training(1, 1);
    int[] tokens = document.tokens()[0].clone();
    tokens[2] = 64 + (tokens[2] - 64 + 1) % 16;
    Documents changed = new Documents(new int[][] {tokens});
    for (Arm arm : List.of(Arm.WINDOW, Arm.SOFTMAX)) {
      try (TrainedModel model = new TrainedModel(Size.SMALL, task, arm, 1, device)) {
        double[] before = model.lossByPosition(document);
        double[] after = model.lossByPosition(changed);
        // The changed token is read as itself and as the one before the next.
        int reach = (2 + Size.SMALL.window()) / 2;
        assertThat(before[reach - 1]).isNotEqualTo(after[reach - 1]);
        assertThat(before[reach + 1] == after[reach + 1]).isEqualTo(arm == Arm.WINDOW);
      }
    }
  }

  @Test
  void trainsAllArmsAndGenerates(@TempDir Path directory) throws IOException {
    List<Task> tasks = List.of(new MapTask(Size.SMOKE), new TextTask(Size.SMOKE, TEXT));
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    InContextLearning.train(Size.SMOKE, tasks, directory, device, out);
    for (String task : List.of("map", "text")) {
      for (String file : List.of("positions.csv", "training.csv", "arms.csv")) {
        assertThat(Files.readAllLines(directory.resolve(task + "-" + file)).size()).isAtLeast(5);
      }
    }
    Generate.run(Size.SMOKE, tasks, directory, device, out);
    String printed = bytes.toString(StandardCharsets.UTF_8);
    assertThat(printed).contains("power, p = 2");
    assertThat(printed).contains("bytes at");
  }
}
