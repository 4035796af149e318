package org.powerattention.runtime.events;

/** Names for what a thread does from one moment to another, which a profiler shows. They nest. */
public interface Ranges {
  /** Begins one on this thread. */
  void push(String name);

  /** Ends the one that this thread began last. */
  void pop();
}
