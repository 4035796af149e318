package org.powerattention.runtime.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ObjIntConsumer;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.PackedView;

/**
 * Sequences of equal length: all of a batch, or one of those that are packed.
 *
 * @param firstSequence the first of them
 * @param sequences how many there are
 * @param firstToken where they start along the token dimension
 * @param tokens tokens of each
 */
record Span(int firstSequence, int sequences, int firstToken, int tokens) {
  /** FLOPs below which waking other threads costs more than it saves: some 50 microseconds. */
  static final double LEAST_PARALLEL_FLOPS = 2e6;

  /** Returns the spans of a call. */
  static List<Span> of(int batch, int tokens, @Nullable PackedView packed) {
    if (packed == null) {
      return List.of(new Span(0, batch, 0, tokens));
    }
    int[] offsets = packed.offsets();
    List<Span> spans = new ArrayList<>();
    for (int i = 0; i < batch; i++) {
      spans.add(new Span(i, 1, offsets[i], offsets[i + 1] - offsets[i]));
    }
    return spans;
  }

  /**
   * Runs a call span by span: those that could keep a thread busy while the others idle with all
   * threads, one after another, and then the others side by side.
   *
   * @param flops estimates a span's work
   * @param body carries out a span with a number of threads
   */
  static void forEach(List<Span> spans, ToDoubleFunction<Span> flops, ObjIntConsumer<Span> body) {
    double total = 0;
    for (Span span : spans) {
      total += flops.applyAsDouble(span);
    }
    int threads = total < LEAST_PARALLEL_FLOPS ? 1 : Parallel.available();
    List<Span> small = new ArrayList<>();
    for (Span span : spans) {
      if (spans.size() == 1 || flops.applyAsDouble(span) > total / (2 * threads)) {
        body.accept(span, threads);
      } else {
        small.add(span);
      }
    }
    new Parallel<>(threads, () -> body, done -> {})
        .forEach(small.size(), (i, run) -> run.accept(small.get(i), 1));
  }
}
