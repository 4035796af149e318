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

/** A source's compilation. */
@Name("org.powerattention.Compilation")
@Label("Kernel Compilation")
@Category("Power Attention")
@Description("A source compiled by NVRTC")
@StackTrace(false)
public final class CompilationEvent extends Event {
  @Label("Source")
  public @Nullable String source;

  @Label("For")
  public @Nullable String what;

  @Label("Architecture")
  public @Nullable String architecture;

  @Label("NVRTC")
  public @Nullable String compiler;

  @Label("Code")
  @DataAmount
  public long bytes;

  /** Returns one to fill in, or null where it is not enabled. */
  static @Nullable CompilationEvent start() {
    if (!Type.OF.isEnabled()) {
      return null;
    }
    CompilationEvent event = new CompilationEvent();
    event.begin();
    return event;
  }

  private static final class Type {
    static final EventType OF = EventType.getEventType(CompilationEvent.class);
  }
}
