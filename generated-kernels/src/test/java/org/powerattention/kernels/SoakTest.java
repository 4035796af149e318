package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.Stream;

/**
 * Calls of changing sizes, over and over: the memory of the device and the Java heap stay as they
 * are, and so do the results. The system property {@code soak.cycles} says how often.
 */
final class SoakTest {
  private static final int[] TOKENS = {1, 64, 100, 200};
  private static final int WARM_UP = 200;

  /** Bytes of the heap for each cycle that are no leak; the least that could leak is more. */
  private static final double HEAP_PER_CYCLE = 64;

  private static final long HEAP_NOISE = 256 << 10;

  @Test
  void theCpuAndTheHeapStayFlat() {
    try (Accelerator cpu = Accelerator.cpu()) {
      soak(cpu, Integer.getInteger("soak.cycles", 400), SoakTest::directBytes, 0);
    }
  }

  @Test
  @Tag("gpu")
  void theGpuAndTheHeapStayFlat() {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    try (Accelerator gpu = Accelerator.cuda(0);
        GpuContext context = new GpuContext(0)) {
      // Others may use the GPU; the least tensor of a call, leaked each time, would take more.
      soak(gpu, Integer.getInteger("soak.cycles", 10_000), context::usedBytes, 4 << 20);
    }
  }

  private static void soak(
      Accelerator device, int cycles, LongSupplier deviceBytes, long deviceNoise) {
    long[] heap = new long[2];
    long[] memory = new long[2];
    List<String> first = new ArrayList<>();
    try (Power2Dim32Launcher attention = Power2Dim32Launcher.on(device);
        Stream stream = device.newStream()) {
      for (int cycle = -WARM_UP; cycle <= cycles; cycle++) {
        if (cycle == 0 || cycle == cycles) {
          device.synchronize();
          heap[cycle == 0 ? 0 : 1] = heapBytes();
          memory[cycle == 0 ? 0 : 1] = settled(deviceBytes);
        }
        int variant = Math.floorMod(cycle, 2 * TOKENS.length);
        int tokens = TOKENS[variant / 2];
        Form form = variant % 2 == 0 ? Form.CHUNKED : Form.ATTENTION;
        try (Workout workout = new Workout(device, attention, tokens, tokens)) {
          String hash = workout.run(form, cycle % 3 == 0 ? stream : null);
          int seen = cycle + WARM_UP;
          if (seen < 2 * TOKENS.length) {
            first.add(hash);
          } else {
            assertWithMessage("cycle %s", cycle)
                .that(hash)
                .isEqualTo(first.get(seen % (2 * TOKENS.length)));
          }
        }
      }
    }
    System.out.println(
        String.format(
            Locale.ROOT,
            "%nSoak on %s, %,d cycles: heap %,d KiB before, %,d KiB after; device %,d KiB before,"
                + " %,d KiB after",
            device.name(),
            cycles,
            heap[0] >> 10,
            heap[1] >> 10,
            memory[0] >> 10,
            memory[1] >> 10));
    assertThat(heap[1] - heap[0]).isLessThan((long) (HEAP_NOISE + HEAP_PER_CYCLE * cycles));
    assertThat(memory[1] - memory[0]).isAtMost(deviceNoise);
  }

  /** Returns what the heap holds once what is unreachable has been cleaned up. */
  private static long heapBytes() {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      System.gc();
      Runtime runtime = Runtime.getRuntime();
      least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
    }
    return least;
  }

  /**
   * Returns the least of some readings: what was closed on the CPU is freed behind a collection.
   */
  private static long settled(LongSupplier bytes) {
    long least = bytes.getAsLong();
    for (int i = 0; i < 10; i++) {
      System.gc();
      LockSupport.parkNanos(20_000_000);
      least = Math.min(least, bytes.getAsLong());
    }
    return least;
  }

  /** Returns the memory of direct buffers, which on the CPU that of tensors is. */
  private static long directBytes() {
    return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
        .filter(pool -> pool.getName().equals("direct"))
        .mapToLong(BufferPoolMXBean::getMemoryUsed)
        .sum();
  }
}
