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

/** One kernel's launch. */
@Name("org.powerattention.Launch")
@Label("Kernel Launch")
@Category("Power Attention")
@Description("Enqueueing one kernel on a GPU")
@StackTrace(false)
public final class LaunchEvent extends Event {
  @Label("Kernel")
  public @Nullable String kernel;

  @Label("Blocks X")
  public long gridX;

  @Label("Blocks Y")
  public long gridY;

  @Label("Blocks Z")
  public long gridZ;

  @Label("Threads per Block")
  public int threads;

  @Label("Dynamic Shared Memory")
  @DataAmount
  public int sharedBytes;

  @Label("Stream")
  public long stream;

  /** Returns one to fill in, or null where it is not enabled. */
  static @Nullable LaunchEvent start() {
    if (!Type.OF.isEnabled()) {
      return null;
    }
    LaunchEvent event = new LaunchEvent();
    event.begin();
    return event;
  }

  private static final class Type {
    static final EventType OF = EventType.getEventType(LaunchEvent.class);
  }
}
