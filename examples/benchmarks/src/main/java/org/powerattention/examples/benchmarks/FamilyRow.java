package org.powerattention.examples.benchmarks;

import java.util.Locale;
import org.powerattention.annotations.KernelSpec;

/**
 * A call by an older family of kernels beside the same call by the newest one that the GPU runs.
 * Field names are those of the JSON file.
 *
 * @param direction {@code family}
 * @param call {@code forward} or {@code forward+backward}
 * @param family the older family
 * @param ms milliseconds of the older family
 * @param newest_ms those of the newest
 * @param speed the older family's speed as a part of the newest one's
 */
@SuppressWarnings("MemberName") // as in the file
record FamilyRow(
    String direction,
    String call,
    String form,
    int degree,
    int b,
    int t,
    int h,
    int d,
    int chunk,
    String dtype,
    String family,
    double ms,
    double newest_ms,
    double speed)
    implements Result {
  static final String DIRECTION = "family";

  static FamilyRow of(String call, Case timed, String family, double older, double newest) {
    KernelSpec spec = timed.spec();
    return new FamilyRow(
        DIRECTION,
        call,
        timed.form().name().toLowerCase(Locale.ROOT),
        spec.degree(),
        timed.batch(),
        timed.tokens(),
        timed.heads(),
        spec.headDim(),
        spec.chunk(),
        spec.dtype().name(),
        family,
        older,
        newest,
        newest / older);
  }

  static String header() {
    return String.format(
        Locale.ROOT,
        "%-16s %-9s %6s %4s %7s %4s %4s %6s %5s %9s %9s %9s %6s",
        "call",
        "form",
        "degree",
        "b",
        "t",
        "h",
        "d",
        "chunk",
        "dtype",
        "family",
        "ms",
        "newest ms",
        "speed");
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%-16s %-9s %6d %4d %7d %4d %4d %6d %5s %9s %9.3f %9.3f %4.0f %%",
        call,
        form,
        degree,
        b,
        t,
        h,
        d,
        chunk,
        dtype,
        family,
        ms,
        newest_ms,
        speed * 100);
  }
}
