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

/** A copy between a tensor and the host. */
@Name("org.powerattention.HostCopy")
@Label("Host Copy")
@Category("Power Attention")
@Description("A tensor copied from or to the host, with the wait for work before it")
@StackTrace(false)
public final class CopyEvent extends Event {
  @Label("Device")
  public @Nullable String device;

  @Label("To Device")
  public boolean toDevice;

  @Label("Size")
  @DataAmount
  public long bytes;

  /** Returns one to fill in, or null where it is not enabled. */
  static @Nullable CopyEvent start() {
    if (!Type.OF.isEnabled()) {
      return null;
    }
    CopyEvent event = new CopyEvent();
    event.begin();
    return event;
  }

  private static final class Type {
    static final EventType OF = EventType.getEventType(CopyEvent.class);
  }
}
