package org.powerattention.runtime.events;

import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * Starts events, to be filled in, or returns null where nobody records them: then nothing is made.
 * Apart from the events' classes, since the JVM registers each with the recorder when it is
 * initialised; the first time, that takes some 150 ms, which a process that does not record is
 * spared.
 */
public final class Events {
  private Events() {}

  /** Starts one if it is recorded. */
  public static @Nullable CallEvent startCall() {
    return FlightRecorder.isInitialized() ? CallEvent.start() : null;
  }

  /** Starts one if it is recorded. */
  public static @Nullable LaunchEvent startLaunch() {
    return FlightRecorder.isInitialized() ? LaunchEvent.start() : null;
  }

  /** Starts one if it is recorded. */
  public static @Nullable WaitEvent startWait() {
    return FlightRecorder.isInitialized() ? WaitEvent.start() : null;
  }

  /** Starts one if it is recorded. */
  public static @Nullable CopyEvent startCopy() {
    return FlightRecorder.isInitialized() ? CopyEvent.start() : null;
  }

  /** Starts one if it is recorded. */
  public static @Nullable KernelCacheEvent startKernelCache() {
    return FlightRecorder.isInitialized() ? KernelCacheEvent.start() : null;
  }

  /** Starts one if it is recorded. */
  public static @Nullable CompilationEvent startCompilation() {
    return FlightRecorder.isInitialized() ? CompilationEvent.start() : null;
  }
}
