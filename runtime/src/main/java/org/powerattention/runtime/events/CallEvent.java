package org.powerattention.runtime.events;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.EventType;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** A call of an operator. */
@Name("org.powerattention.Call")
@Label("Operator Call")
@Category("Power Attention")
@Description("A call of an operator; on the CPU its work, on a GPU the time to enqueue it")
@StackTrace(false)
public final class CallEvent extends Event {
  @Label("Operator")
  public @Nullable String operator;

  @Label("Kind")
  public @Nullable String kind;

  @Label("Device")
  public @Nullable String device;

  @Label("Sequences")
  public int batch;

  @Label("Tokens")
  public int tokens;

  @Label("Query Heads")
  public int queryHeads;

  @Label("Key/Value Heads")
  public int keyHeads;

  @Label("Chunked Form")
  public boolean chunked;

  @Label("Completed")
  public boolean completed;

  /** Returns one to fill in, or null where it is not enabled. */
  static @Nullable CallEvent start() {
    if (!Type.OF.isEnabled()) {
      return null;
    }
    CallEvent event = new CallEvent();
    event.begin();
    return event;
  }

  private static final class Type {
    static final EventType OF = EventType.getEventType(CallEvent.class);
  }
}
