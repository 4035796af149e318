package org.powerattention.kernels.accuracy;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.Form;

/**
 * What an operator is measured with: as much as the device can do in the time.
 *
 * @param mostTokens no sequence is longer
 * @param mostFlops FLOPs of a call, which bounds the sequence in chunked form
 * @param mostStateBytes bytes of one head's state from which on there is only one such head
 */
record Workload(int mostTokens, double mostFlops, long mostStateBytes) {
  /** Sequences and heads of a call. */
  record Heads(int batch, int query, int key) {}

  /** Returns the lengths, shortest first: the chunk's bounds, odd ones, and a long one. */
  List<Integer> tokens(KernelSpec spec) {
    List<Integer> tokens = new ArrayList<>();
    for (int t : new int[] {1, 77, spec.chunk() + 37, 4 * spec.chunk() + 65, mostTokens}) {
      if (t <= mostTokens && !tokens.contains(t)) {
        tokens.add(t);
      }
    }
    return tokens;
  }

  /** Returns the length that is cut in two calls: some chunks, or what is affordable; or 0. */
  int splitTokens(KernelSpec spec) {
    return IntStream.of(Math.min(2 * spec.chunk() + 65, mostTokens), 77, 5)
        .filter(tokens -> affordable(spec, tokens))
        .findFirst()
        .orElse(0);
  }

  /** Returns the forms that are affordable at a length. */
  List<Form> forms(KernelSpec spec, int tokens) {
    return affordable(spec, tokens)
        ? List.of(Form.ATTENTION, Form.CHUNKED)
        : List.of(Form.ATTENTION);
  }

  /** Returns two query heads per key/value head, and several of both where they are small. */
  Heads heads(KernelSpec spec, int tokens) {
    return spec.stateBytes() > mostStateBytes || tokens > 8192
        ? new Heads(1, 2, 1)
        : new Heads(2, 4, 2);
  }

  private boolean affordable(KernelSpec spec, int tokens) {
    Heads heads = heads(spec, tokens);
    return spec.chunkedFlopsPerToken() * tokens * heads.batch() * heads.query() <= mostFlops;
  }
}
