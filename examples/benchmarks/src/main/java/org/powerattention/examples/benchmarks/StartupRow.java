package org.powerattention.examples.benchmarks;

import java.util.Locale;

/**
 * A time before the first call. Field names are those of the JSON file.
 *
 * @param direction {@code compile} or {@code start}
 * @param what what takes the time
 * @param ms the median, in milliseconds
 * @param least_ms the least
 * @param runs how many there were
 * @param jdk the Java version
 */
@SuppressWarnings("MemberName") // as in the file
record StartupRow(String direction, String what, double ms, double least_ms, int runs, String jdk)
    implements Result {
  static StartupRow of(String direction, String what, double[] milliseconds) {
    double least = Double.POSITIVE_INFINITY;
    for (double time : milliseconds) {
      least = Math.min(least, time);
    }
    return new StartupRow(
        direction,
        what,
        GpuClock.median(milliseconds),
        least,
        milliseconds.length,
        System.getProperty("java.version"));
  }

  static String header() {
    return String.format(Locale.ROOT, "%-8s %-64s %9s %9s %5s", "", "what", "ms", "least", "runs");
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%-8s %-64s %9.1f %9.1f %5d", direction, what, ms, least_ms, runs);
  }
}
