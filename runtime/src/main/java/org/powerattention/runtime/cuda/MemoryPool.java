package org.powerattention.runtime.cuda;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import org.powerattention.runtime.DeviceException;

/**
 * Device memory that is kept for the next use on the same stream. What was given back on a stream
 * is handed out again on that stream only, where later work waits for earlier work anyway; so
 * neither giving nor taking waits for the device.
 *
 * <p>The driver's own pools would do the same, but give everything up at each synchronisation
 * unless an attribute is set, and JCuda has no function to set it. All methods need the context to
 * be current.
 */
final class MemoryPool {
  /**
   * Blocks of this size and more are rounded up to its multiples, smaller ones to a power of two.
   */
  private static final long LARGE = 2L << 20;

  private static final long SMALLEST = 512;

  private final CudaContext context;
  private final String where;
  private final long mostKept;
  private final Map<Long, TreeMap<Long, ArrayDeque<Long>>> idle = new HashMap<>();
  private long kept;

  /**
   * Creates an empty pool.
   *
   * @param context the device's context
   * @param where the device in words
   * @param mostKept bytes of idle memory from which on it is freed instead of kept
   */
  MemoryPool(CudaContext context, String where, long mostKept) {
    this.context = context;
    this.where = where;
    this.mostKept = mostKept;
  }

  /** Returns the size of the block that serves a request. */
  static long blockSize(long bytes) {
    if (bytes >= LARGE) {
      return (bytes + LARGE - 1) / LARGE * LARGE;
    }
    return Math.max(SMALLEST, Long.highestOneBit(Math.max(bytes, 1) * 2 - 1));
  }

  /**
   * Returns the address of a block of {@link #blockSize} bytes, with undefined content.
   *
   * @param purpose says what it is for, in words
   * @throws DeviceException if there is too little memory; it says how much was asked for and how
   *     much there is
   */
  synchronized long take(long bytes, long stream, Supplier<String> purpose) {
    long size = blockSize(bytes);
    TreeMap<Long, ArrayDeque<Long>> blocks = idle.get(stream);
    if (blocks != null) {
      ArrayDeque<Long> addresses = blocks.get(size);
      if (addresses != null) {
        Long address = addresses.pollLast();
        if (address != null) {
          kept -= size;
          return address;
        }
      }
    }
    CUdeviceptr pointer = new CUdeviceptr();
    allocate(bytes, purpose, "cuMemAlloc", () -> context.calls().cuMemAlloc(pointer, size));
    return Handles.value(pointer);
  }

  /** Allocates memory that does not come from what is kept, for work on a stream. */
  synchronized long takeDetached(long bytes, long stream, Supplier<String> purpose) {
    CUdeviceptr pointer = new CUdeviceptr();
    allocate(
        bytes,
        purpose,
        "cuMemAllocAsync",
        () -> context.calls().cuMemAllocAsync(pointer, bytes, Handles.stream(stream)));
    return Handles.value(pointer);
  }

  /** Takes back a block, for which all work is in order on a stream. */
  synchronized void give(long address, long bytes, long stream) {
    long size = blockSize(bytes);
    if (kept + size > mostKept) {
      free(address);
      return;
    }
    kept += size;
    idle.computeIfAbsent(stream, s -> new TreeMap<>())
        .computeIfAbsent(size, s -> new ArrayDeque<>())
        .addLast(address);
  }

  /** Frees what is kept for a stream, which is about to be destroyed. */
  synchronized void forget(long stream) {
    TreeMap<Long, ArrayDeque<Long>> blocks = idle.remove(stream);
    if (blocks != null) {
      blocks.forEach(
          (size, addresses) -> {
            kept -= size * addresses.size();
            addresses.forEach(this::free);
          });
    }
  }

  /** Frees everything that is kept. */
  synchronized void clear() {
    for (Long stream : idle.keySet().toArray(new Long[0])) {
      forget(stream);
    }
  }

  /** Allocates memory; if there is too little, once more after freeing all that is kept. */
  private void allocate(long bytes, Supplier<String> purpose, String call, IntSupplier allocation) {
    int result = allocation.getAsInt();
    if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      clear();
      result = allocation.getAsInt();
    }
    if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      context.fail(result, call, where, shortage(bytes, purpose) + Driver.remedy(result));
    }
    context.check(result, call + " of " + bytes + " bytes", where);
  }

  private String shortage(long bytes, Supplier<String> purpose) {
    long[] free = new long[1];
    long[] total = new long[1];
    String asked = "asked for " + mib(bytes) + " for " + purpose.get();
    return context.calls().cuMemGetInfo(free, total) == CUresult.CUDA_SUCCESS
        ? asked + ", free are " + mib(free[0]) + " of " + mib(total[0]) + "; "
        : asked + "; ";
  }

  /** Returns a size in words. */
  static String mib(long bytes) {
    return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20));
  }

  /** The driver waits for work that uses the memory. */
  private void free(long address) {
    context.check(context.calls().cuMemFree(Handles.pointer(address)), "cuMemFree", where);
  }
}
