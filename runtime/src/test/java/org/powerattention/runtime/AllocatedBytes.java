package org.powerattention.runtime;

import java.lang.reflect.Method;

/** How much a thread has allocated; by reflection, since the module does not require the API. */
final class AllocatedBytes {
  private AllocatedBytes() {}

  static long ofThisThread() {
    try {
      Object bean =
          Class.forName("java.lang.management.ManagementFactory")
              .getMethod("getThreadMXBean")
              .invoke(null);
      Method method =
          Class.forName("com.sun.management.ThreadMXBean")
              .getMethod("getThreadAllocatedBytes", long.class);
      return (Long) method.invoke(bean, Thread.currentThread().getId());
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("this JVM does not count allocations", e);
    }
  }
}
