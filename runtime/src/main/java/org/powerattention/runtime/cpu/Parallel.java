package org.powerattention.runtime.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.RecursiveAction;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs numbered tasks on the fork-join pool of the calling thread, or else on the common pool. Each
 * thread that takes part has one workspace, and takes the next task when it has finished one.
 *
 * @param <W> the workspace
 */
final class Parallel<W> {
  /** A numbered task. */
  interface Task<W> {
    /** Carries out one task with the thread's workspace. */
    void run(int index, W workspace);
  }

  private final int threads;
  private final Supplier<W> borrow;
  private final Consumer<W> giveBack;

  /**
   * @param threads most threads to use
   * @param borrow gives a workspace to a thread
   * @param giveBack takes it back when the thread finds no further task
   */
  Parallel(int threads, Supplier<W> borrow, Consumer<W> giveBack) {
    this.threads = threads;
    this.borrow = borrow;
    this.giveBack = giveBack;
  }

  /** Returns how many threads can work on a call from this thread. */
  static int available() {
    ForkJoinPool pool = ForkJoinTask.getPool();
    // A thread from outside works along with the common pool.
    return pool != null ? pool.getParallelism() : ForkJoinPool.getCommonPoolParallelism() + 1;
  }

  /**
   * Runs tasks 0 to {@code count - 1} and waits for them. If one fails, no further ones are begun
   * and its exception is thrown.
   */
  void forEach(int count, Task<W> task) {
    Run<W> run = new Run<>(this, count, task);
    List<RecursiveAction> workers = new ArrayList<>();
    for (int i = 0; i < Math.min(threads, count); i++) {
      workers.add(ForkJoinAction.of(run));
    }
    if (workers.size() == 1) {
      run.work();
    } else {
      ForkJoinTask.invokeAll(workers);
    }
    rethrow(run.failure.get());
  }

  /** Throws what a task has thrown, if it has. */
  static void rethrow(@Nullable Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    if (thrown != null) {
      throw (RuntimeException) thrown;
    }
  }

  /** A fork-join task without a result. */
  private static final class ForkJoinAction extends RecursiveAction {
    private static final long serialVersionUID = 1;

    private final transient Run<?> run;

    private ForkJoinAction(Run<?> run) {
      this.run = run;
    }

    static RecursiveAction of(Run<?> run) {
      return new ForkJoinAction(run);
    }

    @Override
    protected void compute() {
      run.work();
    }
  }

  /** One call of {@link #forEach}. */
  private static final class Run<W> {
    private final Parallel<W> parallel;
    private final int count;
    private final Task<W> task;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    Run(Parallel<W> parallel, int count, Task<W> task) {
      this.parallel = parallel;
      this.count = count;
      this.task = task;
    }

    /** Works until no task is left. Never throws, so that invokeAll waits for all threads. */
    void work() {
      try {
        int index = next.getAndIncrement();
        if (index < count) {
          W workspace = parallel.borrow.get();
          for (; index < count; index = next.getAndIncrement()) {
            task.run(index, workspace);
          }
          parallel.giveBack.accept(workspace);
        }
      } catch (RuntimeException | Error e) {
        next.set(count);
        failure.compareAndSet(null, e);
      }
    }
  }
}
