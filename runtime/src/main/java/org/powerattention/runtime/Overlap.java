package org.powerattention.runtime;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.powerattention.runtime.spi.Memory;

/**
 * Whether two tensors have a byte in common.
 *
 * <p>With byte offsets {@code a + sum_k i_k s_k + e} of one tensor's bytes and {@code b + sum_k j_k
 * t_k + f} of the other's, that asks for integers within bounds that solve {@code sum_k i_k s_k -
 * sum_k j_k t_k + (e - f) = b - a}. The search takes the largest strides first and skips what the
 * rest cannot reach, so that layouts that nest, as real ones do, take a handful of steps.
 */
final class Overlap {
  /** Steps after which tensors are taken to overlap; real layouts need a few dozen. */
  private static final int MAX_STEPS = 20_000;

  /** An unknown between two bounds, with its coefficient, which is positive. */
  private record Term(long coefficient, long low, long high) {}

  private final List<Term> terms;
  private final long[] lowFrom;
  private final long[] highFrom;
  private int steps;

  private Overlap(List<Term> terms) {
    this.terms = terms;
    int count = terms.size();
    lowFrom = new long[count + 1];
    highFrom = new long[count + 1];
    for (int k = count - 1; k >= 0; k--) {
      Term term = terms.get(k);
      lowFrom[k] = lowFrom[k + 1] + term.coefficient * term.low;
      highFrom[k] = highFrom[k + 1] + term.coefficient * term.high;
    }
  }

  /** Returns whether two tensors share a byte; if that takes too long to find out, true. */
  static boolean exists(Tensor first, Tensor second) {
    Memory memory = first.memory();
    Memory other = second.memory();
    if (memory != other && (memory.address() == 0 || other.address() == 0)) {
      return false;
    }
    Layout a = first.layout();
    Layout b = second.layout();
    int sizeA = first.dtype().bytes();
    int sizeB = second.dtype().bytes();
    long startA = memory.address() + a.offset() * sizeA;
    long startB = other.address() + b.offset() * sizeB;
    long endA = memory.address() + a.end() * sizeA;
    long endB = other.address() + b.end() * sizeB;
    if (endA <= startB || endB <= startA) {
      return false;
    }
    List<Term> terms = new ArrayList<>();
    for (int k = 0; k < a.rank(); k++) {
      add(terms, a.strides()[k] * sizeA, 0, a.shape()[k] - 1);
    }
    for (int k = 0; k < b.rank(); k++) {
      add(terms, b.strides()[k] * sizeB, 1 - b.shape()[k], 0);
    }
    add(terms, 1, 1 - sizeB, sizeA - 1);
    terms.sort(Comparator.comparingLong(Term::coefficient).reversed());
    return new Overlap(terms).reaches(0, startB - startA);
  }

  /** Adds an unknown, to one with the same coefficient if there is one. */
  private static void add(List<Term> terms, long coefficient, long low, long high) {
    if (coefficient == 0 || low == high) {
      return;
    }
    for (int k = 0; k < terms.size(); k++) {
      Term term = terms.get(k);
      if (term.coefficient == coefficient) {
        terms.set(k, new Term(coefficient, term.low + low, term.high + high));
        return;
      }
    }
    terms.add(new Term(coefficient, low, high));
  }

  /** Returns whether the unknowns from one on can make up a rest. */
  private boolean reaches(int from, long rest) {
    if (rest < lowFrom[from] || rest > highFrom[from]) {
      return false;
    }
    if (from == terms.size() || ++steps > MAX_STEPS) {
      return true;
    }
    Term term = terms.get(from);
    // The unknowns after this one reach lowFrom to highFrom, which leaves this one these values.
    long least = -Math.floorDiv(highFrom[from + 1] - rest, term.coefficient);
    long greatest = Math.floorDiv(rest - lowFrom[from + 1], term.coefficient);
    for (long value = Math.max(least, term.low); value <= Math.min(greatest, term.high); value++) {
      if (reaches(from + 1, rest - value * term.coefficient)) {
        return true;
      }
    }
    return false;
  }
}
