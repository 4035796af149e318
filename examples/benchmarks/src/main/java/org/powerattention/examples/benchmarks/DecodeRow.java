package org.powerattention.examples.benchmarks;

import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * A result of decoding. Field names are those of the JSON file; times in milliseconds per step,
 * which decodes one token of each of b sequences.
 *
 * @param form "call", or "graph" for a captured step that is replayed
 * @param t tokens per sequence, 1
 * @param states states that steps rotate over
 * @param ms median over spans of 64 steps of each state, which have one fold of it
 * @param mean_ms mean of those
 * @param single_ms median of single steps between events: one without a fold
 * @param enqueue_us median time of a call that does not wait, in microseconds
 * @param peer_t tokens in the peer's key/value cache
 * @param ratio peer_ms / ms
 * @param state_bytes bytes of a state with its window and workspace
 * @param step_bytes bytes that a step must move on average
 * @param copy_gbs measured rate of a copy on the device in GB/s, reads and writes counted
 * @param move_ms time of step_bytes at that rate
 * @param move_ratio mean_ms / move_ms
 */
@SuppressWarnings("MemberName") // as in the file
record DecodeRow(
    String direction,
    String form,
    int degree,
    int b,
    int t,
    int h,
    int d,
    int chunk,
    String dtype,
    int states,
    double ms,
    double mean_ms,
    double single_ms,
    @Nullable Double enqueue_us,
    @Nullable String peer,
    @Nullable Integer peer_t,
    @Nullable Double peer_ms,
    @Nullable Double ratio,
    long state_bytes,
    double step_bytes,
    double copy_gbs,
    double move_ms,
    double move_ratio)
    implements Result {
  /** What these rows say of their direction. */
  static final String DIRECTION = "decode";

  static DecodeRow of(
      String form,
      KernelSpec spec,
      int batch,
      int heads,
      int states,
      double milliseconds,
      double mean,
      double single,
      @Nullable Double enqueueMicros,
      long stateBytes,
      double stepBytes,
      double copyBytesPerSecond,
      Peers.@Nullable Decode peer) {
    double move = stepBytes / copyBytesPerSecond * 1e3;
    return new DecodeRow(
        DIRECTION,
        form,
        spec.degree(),
        batch,
        1,
        heads,
        spec.headDim(),
        spec.chunk(),
        spec.dtype().name(),
        states,
        milliseconds,
        mean,
        single,
        enqueueMicros,
        peer == null ? null : peer.name(),
        peer == null ? null : Decoding.CACHE_TOKENS,
        peer == null ? null : peer.milliseconds(),
        peer == null ? null : peer.milliseconds() / milliseconds,
        stateBytes,
        stepBytes,
        copyBytesPerSecond / 1e9,
        move,
        mean / move);
  }

  static String header() {
    return String.format(
        Locale.ROOT,
        "%-9s %4s %6s %9s %9s %9s %10s %10s %9s %9s %11s %9s %7s  %s",
        "decode",
        "b",
        "states",
        "ms",
        "mean ms",
        "single",
        "state MB",
        "step MB",
        "move ms",
        "mean/move",
        "enqueue us",
        "peer ms",
        "ratio",
        "peer");
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%-9s %4d %6d %9.4f %9.4f %9.4f %10.2f %10.2f %9.4f %9.2f %11s %9s %7s  %s",
        form,
        b,
        states,
        ms,
        mean_ms,
        single_ms,
        state_bytes / 1e6,
        step_bytes / 1e6,
        move_ms,
        move_ratio,
        enqueue_us == null ? "-" : String.format(Locale.ROOT, "%.1f", enqueue_us),
        peer_ms == null ? "-" : String.format(Locale.ROOT, "%.4f", peer_ms),
        ratio == null ? "-" : String.format(Locale.ROOT, "%.2f", ratio),
        peer == null ? "" : peer);
  }
}
