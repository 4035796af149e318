package org.powerattention.runtime;

import java.lang.System.Logger.Level;
import java.lang.ref.Cleaner;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.Log;

/**
 * What an object holds on a device, from its creation until it is closed: by its user, with the
 * accelerator it belongs to, or, as a safety net that reports the leak, when it has become
 * unreachable.
 */
final class Lifetime {
  /**
   * System property that has leaks reported with where they were made, at a cost for each tensor.
   */
  static final String ORIGINS_PROPERTY = "powerattention.leaks";

  private static final Cleaner CLEANER = Cleaner.create();

  private final Release release;
  private final Cleaner.Cleanable cleanable;

  private Lifetime(Release release, Cleaner.Cleanable cleanable) {
    this.release = release;
    this.cleanable = cleanable;
  }

  /**
   * Starts the lifetime of what {@code owner} holds.
   *
   * @param owner the object that holds it
   * @param what the object in words, for messages; it must not refer to the owner
   * @param owned whether losing it without closing is a leak to report
   * @param action how to free it; it must not refer to the owner
   * @param siblings the lifetimes that end with the same accelerator
   */
  static Lifetime start(
      Object owner, String what, boolean owned, Runnable action, Siblings siblings) {
    Throwable origin =
        owned && Boolean.getBoolean(ORIGINS_PROPERTY)
            ? new Throwable(what + " was made here")
            : null;
    Release release = new Release(what, owned, action, siblings, origin);
    Lifetime lifetime = new Lifetime(release, CLEANER.register(owner, release::leaked));
    siblings.add(release);
    return lifetime;
  }

  /** Frees what is held, once; closing again does nothing. */
  void close() {
    release.run();
    cleanable.clean();
  }

  boolean isOpen() {
    return !release.done.get();
  }

  /**
   * Checks that it has not been closed.
   *
   * @throws IllegalStateException if it has
   */
  void checkOpen() {
    if (!isOpen()) {
      throw new IllegalStateException(
          release.what + " is closed: use it before its close(), and before its accelerator's");
    }
  }

  /** The open lifetimes of one accelerator. */
  static final class Siblings {
    private final Set<Release> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    private void add(Release release) {
      open.add(release);
      if (closed) {
        // The accelerator was closed on another thread while this was being made.
        release.run();
      }
    }

    /** Ends all of them, also where one fails. */
    void close() {
      closed = true;
      RuntimeException failure = null;
      for (Release release : open) {
        try {
          release.run();
        } catch (RuntimeException e) {
          if (failure == null) {
            failure = e;
          } else {
            failure.addSuppressed(e);
          }
        }
      }
      if (failure != null) {
        throw failure;
      }
    }
  }

  /**
   * The action, which runs at most once. It does not refer to the owner, so that it can be lost.
   */
  private static final class Release {
    private final String what;
    private final boolean owned;
    private final Runnable action;
    private final Siblings siblings;
    private final @Nullable Throwable origin;
    private final AtomicBoolean done = new AtomicBoolean();

    Release(
        String what,
        boolean owned,
        Runnable action,
        Siblings siblings,
        @Nullable Throwable origin) {
      this.what = what;
      this.owned = owned;
      this.action = action;
      this.siblings = siblings;
      this.origin = origin;
    }

    void run() {
      if (done.compareAndSet(false, true)) {
        siblings.open.remove(this);
        action.run();
      }
    }

    void leaked() {
      if (owned && !done.get()) {
        if (origin == null) {
          Log.get()
              .log(
                  Level.WARNING,
                  "{0} was never closed; it is freed now, late: use try-with-resources, and"
                      + " -D{1}=true to see where it was made",
                  what,
                  ORIGINS_PROPERTY);
        } else {
          Log.get()
              .log(
                  Level.WARNING,
                  what + " was never closed; it is freed now, late: use try-with-resources",
                  origin);
        }
      }
      run();
    }
  }
}
