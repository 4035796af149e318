package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.cuda.FakeCuda;

/** What a flight recording of a program says of where its time went. */
final class EventsTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);

  @TempDir Path directory;

  private List<RecordedEvent> record(Runnable action) throws Exception {
    Path file = directory.resolve("recording.jfr");
    try (Recording recording = new Recording()) {
      recording.start();
      action.run();
      recording.stop();
      recording.dump(file);
    }
    List<RecordedEvent> ours = new ArrayList<>();
    for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
      if (event.getEventType().getName().startsWith("org.powerattention.")) {
        ours.add(event);
      }
    }
    // A file has them by thread and buffer.
    ours.sort(Comparator.comparing(RecordedEvent::getStartTime));
    return ours;
  }

  private static List<RecordedEvent> of(List<RecordedEvent> events, String name) {
    return events.stream()
        .filter(event -> event.getEventType().getName().equals("org.powerattention." + name))
        .toList();
  }

  private static void useAll(Accelerator device) {
    try (PowerAttentionOperator operator =
            PowerAttentionOperator.load(device, FakeCuda.program("Layer", SPEC));
        Tensor q = device.tensor(DType.BF16, new float[2 * 100 * 4 * 16], 2, 100, 4, 16);
        Tensor k = device.zeros(DType.BF16, 2, 100, 2, 16);
        Tensor logG = device.zeros(DType.FP32, 2, 100, 2);
        State state = operator.newState(2, 2);
        Tensor y = operator.forward(q, k, k, logG, ForwardOptions.defaults().form(Form.CHUNKED));
        Gradients gradients = operator.backward(q, k, k, logG, y, BackwardOptions.defaults())) {
      operator.prefill(state, q, k, k, logG, ServeOptions.defaults()).close();
      Tensor q1 = q.slice(1, 0, 1);
      Tensor k1 = k.slice(1, 0, 1);
      Tensor g1 = logG.slice(1, 0, 1);
      try (Tensor y1 = operator.decode(state, q1, k1, k1, g1, ServeOptions.defaults());
          DecodeStep step =
              operator.captureDecode(y1, state, q1, k1, k1, g1, ServeOptions.defaults())) {
        step.launch();
      }
      device.synchronize();
      y.toFloats();
    }
  }

  @Test
  void callsOnTheCpuAreRecordedWithTheirKindSizesAndTime() throws Exception {
    List<RecordedEvent> events =
        record(
            () -> {
              try (Accelerator device = Accelerator.cpu()) {
                useAll(device);
              }
            });
    List<RecordedEvent> calls = of(events, "Call");
    assertThat(calls.stream().map(event -> event.getString("kind")).toList())
        .containsExactly("forward", "backward", "prefill", "decode", "captured decode")
        .inOrder();
    for (RecordedEvent call : calls) {
      assertThat(call.getString("operator")).isEqualTo("Layer");
      assertThat(call.getString("device")).contains("CPU");
      assertThat(call.getInt("batch")).isEqualTo(2);
      assertThat(call.getInt("queryHeads")).isEqualTo(4);
      assertThat(call.getInt("keyHeads")).isEqualTo(2);
      assertThat(call.getBoolean("completed")).isTrue();
      assertThat(call.getDuration().toNanos()).isGreaterThan(0);
    }
    assertThat(calls.get(0).getInt("tokens")).isEqualTo(100);
    assertThat(calls.get(0).getBoolean("chunked")).isTrue();
    assertThat(of(events, "HostCopy").stream().map(event -> event.getLong("bytes")).toList())
        .containsExactly(2L * 100 * 4 * 16 * 2, 2L * 100 * 4 * 16 * 2);
    assertThat(of(events, "Wait")).hasSize(1);
  }

  @Test
  void aGpusCompilationsCacheLooksAndLaunchesAreRecorded() throws Exception {
    FakeCuda cuda = new FakeCuda();
    List<RecordedEvent> events =
        record(
            () -> {
              for (int n = 0; n < 2; n++) {
                try (Accelerator device = new Accelerator(cuda.open())) {
                  useAll(device);
                }
              }
            });
    // The fake's parts have one source: the first compiles, all others find it in memory.
    assertThat(of(events, "Compilation")).hasSize(1);
    assertThat(of(events, "Compilation").get(0).getString("source")).isEqualTo("fake.cu");
    assertThat(of(events, "Compilation").get(0).getString("architecture")).isEqualTo("sm_90");
    assertThat(of(events, "KernelCache").stream().map(event -> event.getString("source")).toList())
        .containsExactly("compiled", "memory", "memory", "memory", "memory", "memory");
    List<RecordedEvent> launches = of(events, "Launch");
    assertThat((long) launches.size())
        .isEqualTo(cuda.calls.stream().filter(call -> call.equals("cuLaunchKernel")).count());
    assertThat(launches.get(0).getString("kernel")).contains("kernel gate_sum of Layer");
    assertThat(launches.get(0).getInt("threads")).isEqualTo(256);
  }

  @Test
  void aFailedCallIsRecordedAsNotCompleted() throws Exception {
    FakeCuda cuda = new FakeCuda();
    List<RecordedEvent> events =
        record(
            () -> {
              try (Accelerator device = new Accelerator(cuda.open())) {
                cuda.failures.put("cuLaunchKernel", 400);
                assertThrows(DeviceException.class, () -> useAll(device));
              }
            });
    assertThat(of(events, "Call")).hasSize(1);
    assertThat(of(events, "Call").get(0).getBoolean("completed")).isFalse();
  }
}
