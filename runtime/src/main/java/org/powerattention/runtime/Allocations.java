package org.powerattention.runtime;

import java.util.ArrayDeque;
import java.util.Deque;

/** What is freed again if the method that allocates it does not get to its end. */
final class Allocations implements AutoCloseable {
  private final Deque<Runnable> releases = new ArrayDeque<>();

  /** Adds something and how to free it. */
  <T> T add(T made, Runnable release) {
    releases.push(release);
    return made;
  }

  /** Adds a tensor. */
  Tensor add(Tensor made) {
    return add(made, made::close);
  }

  /** Hands everything over to the caller: nothing is freed any more. */
  void keep() {
    releases.clear();
  }

  /** Frees what has not been kept, the latest first. */
  @Override
  public void close() {
    releases.forEach(Runnable::run);
    releases.clear();
  }
}
