package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.text.MessageFormat;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;

final class LifetimeTest {
  private final FakeBackend backend = new FakeBackend(true);

  @Test
  void closingAnAcceleratorFreesWhatItMadeOnce() {
    Accelerator device = new Accelerator(backend);
    Tensor first = device.zeros(DType.FP32, 4);
    device.zeros(DType.FP32, 4).close();
    Stream stream = device.newStream();
    assertThat(backend.openBlocks.get()).isEqualTo(1);
    device.close();
    device.close();
    first.close();
    stream.close();
    assertThat(backend.openBlocks.get()).isEqualTo(0);
    assertThat(backend.openStreams.get()).isEqualTo(0);
    assertThat(backend.closed).isTrue();
  }

  @Test
  void nothingWorksAfterItsAcceleratorIsClosed() {
    Accelerator device = new Accelerator(backend);
    Tensor tensor = device.zeros(DType.FP32, 4);
    Stream stream = device.newStream();
    device.close();
    assertThrows(IllegalStateException.class, tensor::toFloats);
    assertThrows(IllegalStateException.class, () -> tensor.slice(0, 0, 1));
    assertThrows(IllegalStateException.class, tensor::address);
    assertThrows(IllegalStateException.class, stream::synchronize);
    assertThrows(IllegalStateException.class, () -> device.zeros(DType.FP32, 1));
    assertThrows(IllegalStateException.class, () -> device.borrow(DType.FP32, 4096L, 1));
    assertThrows(IllegalStateException.class, device::newStream);
    assertThrows(IllegalStateException.class, device::synchronize);
  }

  @Test
  void aBorrowedStreamIsNotDestroyed() {
    try (Accelerator device = new Accelerator(backend)) {
      Stream own = device.newStream();
      device.borrowStream(own.handle()).close();
      assertThat(backend.openStreams.get()).isEqualTo(1);
      own.close();
      assertThat(backend.openStreams.get()).isEqualTo(0);
    }
  }

  @Test
  void aLostTensorIsFreedAndReportedButNotWhileAViewIsInUse() throws Exception {
    List<String> messages = Collections.synchronizedList(new ArrayList<>());
    Logger logger = Logger.getLogger("org.powerattention");
    Handler handler = recordingHandler(messages);
    logger.addHandler(handler);
    try (Accelerator device = new Accelerator(backend)) {
      Tensor view = device.zeros(DType.BF16, 3, 5).select(0, 1);
      collectGarbage(() -> false, 200);
      assertThat(backend.openBlocks.get()).isEqualTo(1);
      assertThat(view.toFloats()).hasLength(5);
      view = null;
      collectGarbage(() -> backend.openBlocks.get() == 0, 10_000);
      assertThat(backend.openBlocks.get()).isEqualTo(0);
      assertThat(messages.toString()).contains("BF16 tensor [3, 5] on fake GPU was never closed");
    } finally {
      logger.removeHandler(handler);
    }
  }

  @Test
  void aLeakIsReportedWithWhereItWasMadeIfAskedFor() throws Exception {
    List<Throwable> origins = Collections.synchronizedList(new ArrayList<>());
    Logger logger = Logger.getLogger("org.powerattention");
    logger.setFilter(
        record -> {
          if (record.getThrown() != null) {
            origins.add(record.getThrown());
          }
          return false;
        });
    System.setProperty(Lifetime.ORIGINS_PROPERTY, "true");
    try (Accelerator device = new Accelerator(backend)) {
      lose(device);
      collectGarbage(() -> !origins.isEmpty(), 10_000);
      assertThat(origins.get(0)).hasMessageThat().contains("FP32 tensor [7] on fake GPU was made");
      assertThat(List.of(origins.get(0).getStackTrace()).toString()).contains("LifetimeTest.lose(");
    } finally {
      System.clearProperty(Lifetime.ORIGINS_PROPERTY);
      logger.setFilter(null);
    }
  }

  private static void lose(Accelerator device) {
    Tensor unused = device.zeros(DType.FP32, 7);
  }

  @Test
  void aLostStateIsFreedWithItsWindowAndReportedOnlyForItsSums() throws Exception {
    List<String> messages = Collections.synchronizedList(new ArrayList<>());
    Logger logger = Logger.getLogger("org.powerattention");
    Handler handler = recordingHandler(messages);
    logger.addHandler(handler);
    try (OperatorFixture f = new OperatorFixture(true)) {
      int blocks = f.backend.openBlocks.get();
      State state = f.gated.newState(2, 3);
      f.gated.decode(state, f.q1, f.k1, f.v1, f.logG1, ServeOptions.defaults()).close();
      // What the fake device has recorded refers to memory alone, as a device's queue does.
      state = null;
      collectGarbage(() -> f.backend.openBlocks.get() == blocks, 10_000);
      assertThat(f.backend.openBlocks.get()).isEqualTo(blocks);
      assertThat(messages).hasSize(2);
      assertThat(messages.toString()).contains("FP32 tensor [2, 3, 192, 16]");
    } finally {
      logger.removeHandler(handler);
    }
  }

  private interface Condition {
    boolean holds();
  }

  private static void collectGarbage(Condition until, int milliseconds) throws Exception {
    long deadline = System.nanoTime() + milliseconds * 1_000_000L;
    while (!until.holds() && System.nanoTime() < deadline) {
      System.gc();
      Thread.sleep(10);
    }
  }

  private static Handler recordingHandler(List<String> messages) {
    return new Handler() {
      @Override
      public void publish(LogRecord record) {
        messages.add(MessageFormat.format(record.getMessage(), record.getParameters()));
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
  }
}
