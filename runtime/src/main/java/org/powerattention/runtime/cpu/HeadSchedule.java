package org.powerattention.runtime.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * How the heads of a call are shared among threads. Heads are independent, so as many as fill all
 * threads evenly are walked by one thread each. The rest of them are walked together, each step
 * split among all threads: first its blocks, then its update of the state by entries.
 *
 * @param <W> the scratch arrays of a thread
 */
final class HeadSchedule<W> {
  /**
   * Parts of a state update per thread; several, so that a slow thread holds up the others less.
   */
  private static final int PARTS_PER_THREAD = 4;

  private final int threads;
  private final int steps;
  private final int entries;
  private final Supplier<HeadWalk<W>> walks;
  private final Supplier<W> borrow;
  private final Consumer<W> giveBack;

  /**
   * @param threads most threads to use
   * @param steps steps of each head
   * @param entries entries of a head's state
   * @param walks makes walks, each of which can walk one head after the other
   * @param borrow gives scratch arrays to a thread
   * @param giveBack takes them back
   */
  HeadSchedule(
      int threads,
      int steps,
      int entries,
      Supplier<HeadWalk<W>> walks,
      Supplier<W> borrow,
      Consumer<W> giveBack) {
    this.threads = threads;
    this.steps = steps;
    this.entries = entries;
    this.walks = walks;
    this.borrow = borrow;
    this.giveBack = giveBack;
  }

  /** Walks the heads {@code [from, from + heads)}. */
  void run(int from, int heads) {
    int alone = heads - heads % threads;
    new Parallel<Walker<W>>(
            threads,
            () -> new Walker<>(walks.get(), borrow.get()),
            walker -> giveBack.accept(walker.work()))
        .forEach(alone, (head, walker) -> walkAlone(from + head, walker));
    if (alone < heads) {
      walkTogether(from + alone, heads - alone);
    }
  }

  /** One thread's head and scratch arrays. */
  private record Walker<W>(HeadWalk<W> walk, W work) {}

  private void walkAlone(int head, Walker<W> walker) {
    HeadWalk<W> walk = walker.walk();
    walk.begin(head);
    for (int step = 0; step < steps; step++) {
      walk.enter(step);
      for (int block = 0; block < walk.blocks(); block++) {
        walk.block(block, walker.work());
      }
      if (walk.updates()) {
        walk.update(0, entries, walker.work());
      }
      walk.leave();
    }
    walk.end();
  }

  private void walkTogether(int from, int heads) {
    Parallel<W> parallel = new Parallel<>(threads, borrow, giveBack);
    List<HeadWalk<W>> together = new ArrayList<>();
    for (int i = 0; i < heads; i++) {
      together.add(walks.get());
    }
    parallel.forEach(heads, (i, work) -> together.get(i).begin(from + i));
    int parts = Math.min(entries, PARTS_PER_THREAD * ((threads + heads - 1) / heads));
    for (int step = 0; step < steps; step++) {
      int current = step;
      parallel.forEach(heads, (i, work) -> together.get(i).enter(current));
      int blocks = together.get(0).blocks();
      parallel.forEach(heads * blocks, (i, work) -> together.get(i % heads).block(i / heads, work));
      if (together.get(0).updates()) {
        parallel.forEach(
            heads * parts,
            (i, work) -> updatePart(together.get(i / parts), i % parts, parts, work));
      }
      together.forEach(HeadWalk::leave);
    }
    parallel.forEach(heads, (i, work) -> together.get(i).end());
  }

  private void updatePart(HeadWalk<W> walk, int part, int parts, W work) {
    walk.update(bound(part, parts), bound(part + 1, parts), work);
  }

  private int bound(int part, int parts) {
    return Math.toIntExact((long) entries * part / parts);
  }
}
