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
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;
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

  private static final int ROUNDS = 8;

  /** Bytes of the heap for each cycle that are no leak; the least that could leak is more. */
  private static final long HEAP_PER_CYCLE = 32;

  private static final long HEAP_NOISE = 16 << 10;

  /** The last line of a histogram: how many instances, and how many bytes. */
  private static final Pattern TOTAL = Pattern.compile("(?m)^Total\\s+\\d+\\s+(\\d+)");

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

  /**
   * Goes through cycles until the memory before and after is the same. What leaks does so in every
   * round; what is taken once, such as the scratch arrays of one more thread of the CPU, in one.
   */
  private static void soak(
      Accelerator device, int cycles, LongSupplier deviceBytes, long deviceNoise) {
    long heapNoise = HEAP_NOISE + HEAP_PER_CYCLE * cycles;
    try (Power2Dim32Launcher attention = Power2Dim32Launcher.on(device);
        Stream stream = device.newStream()) {
      List<String> hashes = new ArrayList<>();
      cycle(device, attention, stream, hashes, WARM_UP);
      Footprint.of(device, deviceBytes); // The classes that this takes are no leak.
      Footprint before;
      Footprint after = Footprint.of(device, deviceBytes);
      int round = 0;
      do {
        before = after;
        cycle(device, attention, stream, hashes, cycles);
        after = Footprint.of(device, deviceBytes);
        System.out.println(
            String.format(
                Locale.ROOT,
                "%nSoak on %s, round %d of %,d cycles: heap %,d KiB before, %,d KiB after; device"
                    + " %,d KiB before, %,d KiB after",
                device.name(),
                ++round,
                cycles,
                before.heap >> 10,
                after.heap >> 10,
                before.device >> 10,
                after.device >> 10));
      } while (round < ROUNDS && !after.within(before, heapNoise, deviceNoise));
      assertThat(after.heap - before.heap).isAtMost(heapNoise);
      assertThat(after.device - before.device).isAtMost(deviceNoise);
    }
  }

  /**
   * Runs cycles of changing sizes and forms, and compares the bits with those of the first ones.
   */
  private static void cycle(
      Accelerator device,
      Power2Dim32Launcher attention,
      Stream stream,
      List<String> hashes,
      int cycles) {
    for (int cycle = 0; cycle < cycles; cycle++) {
      int variant = cycle % (2 * TOKENS.length);
      int tokens = TOKENS[variant / 2];
      Form form = variant % 2 == 0 ? Form.CHUNKED : Form.ATTENTION;
      try (Workout workout = new Workout(device, attention, tokens, tokens)) {
        String hash = workout.run(form, cycle % 3 == 0 ? stream : null);
        if (variant == hashes.size()) {
          hashes.add(hash);
        }
        assertWithMessage("cycle %s", cycle).that(hash).isEqualTo(hashes.get(variant));
      }
    }
  }

  /** Bytes in use, of what can be reached on the heap and of the device's memory. */
  private record Footprint(long heap, long device) {
    static Footprint of(Accelerator device, LongSupplier deviceBytes) {
      device.synchronize();
      return new Footprint(settled(SoakTest::heapBytes), settled(deviceBytes));
    }

    boolean within(Footprint before, long heapNoise, long deviceNoise) {
      return heap - before.heap <= heapNoise && device - before.device <= deviceNoise;
    }
  }

  /**
   * Returns the bytes of the objects that can be reached. What the heap has in use is more by the
   * buffers from which threads allocate, whose sizes change with what the threads do.
   */
  private static long heapBytes() {
    Matcher total = TOTAL.matcher(histogram());
    assertWithMessage("a total in the histogram").that(total.find()).isTrue();
    return Long.parseLong(total.group(1));
  }

  private static String histogram() {
    try {
      return (String)
          ManagementFactory.getPlatformMBeanServer()
              .invoke(
                  new ObjectName("com.sun.management:type=DiagnosticCommand"),
                  "gcClassHistogram",
                  new Object[] {new String[0]},
                  new String[] {String[].class.getName()});
    } catch (JMException e) {
      throw new AssertionError(e);
    }
  }

  /**
   * Returns the least of some readings: what is unreachable goes, and memory closed on the CPU is
   * freed, behind a collection.
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
