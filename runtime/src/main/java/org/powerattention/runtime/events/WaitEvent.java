package org.powerattention.runtime.events;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.EventType;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** A wait for a device. */
@Name("org.powerattention.Wait")
@Label("Wait for Device")
@Category("Power Attention")
@Description("The host waits until work on a device is done")
@StackTrace(false)
public final class WaitEvent extends Event {
  @Label("Device")
  public @Nullable String device;

  @Label("Stream")
  public long stream;

  /** Returns one to fill in, or null where it is not enabled. */
  static @Nullable WaitEvent start() {
    if (!Type.OF.isEnabled()) {
      return null;
    }
    WaitEvent event = new WaitEvent();
    event.begin();
    return event;
  }

  private static final class Type {
    static final EventType OF = EventType.getEventType(WaitEvent.class);
  }
}
