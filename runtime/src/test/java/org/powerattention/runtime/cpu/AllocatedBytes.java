package org.powerattention.runtime.cpu;

import java.lang.reflect.Method;

/** Counts allocations on the heap, by reflection: the module under test does not require JMX. */
final class AllocatedBytes {
  private AllocatedBytes() {}

  /** Returns how many bytes the threads that are alive have allocated. */
  static long ofAllThreads() throws ReflectiveOperationException {
    Object bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    Class<?> type = Class.forName("com.sun.management.ThreadMXBean");
    Method count = type.getMethod("getThreadAllocatedBytes", long[].class);
    long sum = 0;
    for (long bytes : (long[]) count.invoke(bean, type.getMethod("getAllThreadIds").invoke(bean))) {
      sum += Math.max(0, bytes);
    }
    return sum;
  }
}
