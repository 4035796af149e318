package org.powerattention.examples.benchmarks;

import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * A result. Field names are those of the JSON file; times in milliseconds, rates in TFLOP/s by the
 * FLOPs that {@link KernelSpec} counts.
 */
@SuppressWarnings("MemberName") // as in the file
record Row(
    String direction,
    String form,
    int degree,
    int b,
    int t,
    int h,
    int d,
    int chunk,
    String dtype,
    double ms,
    @Nullable String peer,
    @Nullable Double peer_ms,
    @Nullable Double ratio,
    double tflops,
    @Nullable Double matmul_tflops,
    @Nullable Double rel_error)
    implements Result {
  /** What calls on whole sequences do. */
  static final Set<String> DIRECTIONS = Set.of("forward", "forward+backward", "backward");

  /**
   * Backward does about 2.5 times the FLOPs of forward: five products for each pair of tokens or
   * each feature, where forward has two.
   */
  private static final double BACKWARD_FLOPS = 2.5;

  /** A forward call's row. */
  static Row forward(Case timed, Timer.Measured measured, @Nullable Peers peers) {
    Double peer = peers == null ? null : peers.forward(timed.shape());
    return of("forward", 1, timed, measured.milliseconds(), peer, peers, measured.relError());
  }

  /** The row of a forward call that saves, and the backward call that reads what it saved. */
  static Row forwardBackward(Case timed, Training measured, @Nullable Peers peers) {
    Double peer = peers == null ? null : peers.forwardBackward(timed.shape());
    return of(
        "forward+backward",
        1 + BACKWARD_FLOPS,
        timed,
        measured.forwardBackward(),
        peer,
        peers,
        measured.relError());
  }

  /** The row of the backward call alone; the peer's is forward and backward without forward. */
  static Row backward(Case timed, Training measured, @Nullable Peers peers) {
    Double peer = peers == null ? null : peers.backward(timed.shape());
    return of(
        "backward", BACKWARD_FLOPS, timed, measured.backward(), peer, peers, measured.relError());
  }

  private static Row of(
      String direction,
      double forwards,
      Case timed,
      double milliseconds,
      @Nullable Double peer,
      @Nullable Peers peers,
      double relError) {
    KernelSpec spec = timed.spec();
    return new Row(
        direction,
        timed.form().name().toLowerCase(Locale.ROOT),
        spec.degree(),
        timed.batch(),
        timed.tokens(),
        timed.heads(),
        spec.headDim(),
        spec.chunk(),
        spec.dtype().name(),
        milliseconds,
        peer == null ? null : "PyTorch SDPA, cuDNN, BF16",
        peer,
        peer == null ? null : peer / milliseconds,
        forwards * timed.flops() / milliseconds / 1e9,
        peers == null ? null : peers.matmulTflops(),
        relError);
  }

  static String header() {
    return String.format(
        Locale.ROOT,
        "%-16s %-9s %6s %4s %7s %4s %4s %6s %5s %9s %9s %7s %8s %9s",
        "direction",
        "form",
        "degree",
        "b",
        "t",
        "h",
        "d",
        "chunk",
        "dtype",
        "ms",
        "peer ms",
        "ratio",
        "TFLOP/s",
        "rel error");
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%-16s %-9s %6d %4d %7d %4d %4d %6d %5s %9.3f %9s %7s %8.1f %9s",
        direction,
        form,
        degree,
        b,
        t,
        h,
        d,
        chunk,
        dtype,
        ms,
        peer_ms == null ? "-" : String.format(Locale.ROOT, "%.3f", peer_ms),
        ratio == null ? "-" : String.format(Locale.ROOT, "%.2f", ratio),
        tflops,
        rel_error == null ? "-" : String.format(Locale.ROOT, "%.1e", rel_error));
  }
}
