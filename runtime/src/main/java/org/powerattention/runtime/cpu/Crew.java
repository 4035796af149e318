package org.powerattention.runtime.cpu;

import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Runs the same numbered tasks again and again and allocates nothing for it. The calling thread
 * works along with threads of its fork-join pool, or else of the common pool; it waits by spinning,
 * since tasks are short and waiting in the pool would allocate.
 */
final class Crew {
  /** A numbered task. */
  interface Task {
    /** Carries out one task; no two members work at a time with the same number. */
    void run(int index, int member);
  }

  /** Rounds of waiting after which the processor is offered to others. */
  private static final int SPINS = 1000;

  private final int count;
  private final Task task;
  private final Helper[] helpers;
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger finished = new AtomicInteger();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  /**
   * @param members most threads to use, the calling one included
   * @param count tasks of a run
   */
  Crew(int members, int count, Task task) {
    this.count = count;
    this.task = task;
    this.helpers = new Helper[Math.max(0, Math.min(members, count) - 1)];
    for (int i = 0; i < helpers.length; i++) {
      helpers[i] = new Helper(this, i + 1);
    }
    next.set(count);
  }

  /** Returns how many threads work on a run at most: their numbers are less. */
  int members() {
    return helpers.length + 1;
  }

  /**
   * Runs all tasks and waits for them. If one fails, no further ones are begun and its exception is
   * thrown. Not for two threads at a time.
   */
  @SuppressWarnings("ThreadPriorityCheck") // may be the processor that a helper waits for
  void run() {
    failure.set(null);
    finished.set(0);
    // A helper that comes late from an earlier run finds work from here on, and is welcome.
    next.set(0);
    int wanted = Math.min(helpers.length, Parallel.available() - 1);
    for (int i = 0; i < wanted; i++) {
      helpers[i].call();
    }
    work(0);
    for (int spins = 0; finished.get() < count; spins++) {
      if (spins < SPINS) {
        Thread.onSpinWait();
      } else {
        Thread.yield();
      }
    }
    Parallel.rethrow(failure.get());
  }

  private void work(int member) {
    for (int index = next.getAndIncrement(); index < count; index = next.getAndIncrement()) {
      try {
        if (failure.get() == null) {
          task.run(index, member);
        }
      } catch (RuntimeException | Error e) {
        failure.compareAndSet(null, e);
      } finally {
        finished.incrementAndGet();
      }
    }
  }

  /** A fork-join task that can be submitted again once it has run. */
  private static final class Helper extends ForkJoinTask<Void> {
    private static final long serialVersionUID = 1;

    private final transient Crew crew;
    private final int member;
    private boolean called;

    Helper(Crew crew, int member) {
      this.crew = crew;
      this.member = member;
    }

    /** Submits it, unless it is still waiting for a thread since an earlier run. */
    void call() {
      if (!called || isDone()) {
        called = true;
        reinitialize();
        fork();
      }
    }

    @Override
    protected boolean exec() {
      crew.work(member);
      return true;
    }

    @Override
    public @Nullable Void getRawResult() {
      return null;
    }

    @Override
    protected void setRawResult(@Nullable Void value) {}
  }
}
