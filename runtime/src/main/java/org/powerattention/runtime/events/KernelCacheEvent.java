package org.powerattention.runtime.events;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.EventType;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** A look into the kernel cache. */
@Name("org.powerattention.KernelCache")
@Label("Kernel Cache Lookup")
@Category("Power Attention")
@Description(
    "Compiled kernels asked for, and where they came from: precompiled, memory, disk, another"
        + " process that compiled them meanwhile, or compiled")
@StackTrace(false)
public final class KernelCacheEvent extends Event {
  @Label("Key")
  public @Nullable String key;

  @Label("Came From")
  public @Nullable String source;

  @Label("Code")
  @DataAmount
  public long bytes;

  /** Returns one to fill in, or null where it is not enabled. */
  static @Nullable KernelCacheEvent start() {
    if (!Type.OF.isEnabled()) {
      return null;
    }
    KernelCacheEvent event = new KernelCacheEvent();
    event.begin();
    return event;
  }

  private static final class Type {
    static final EventType OF = EventType.getEventType(KernelCacheEvent.class);
  }
}
