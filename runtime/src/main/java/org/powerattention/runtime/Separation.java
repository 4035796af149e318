package org.powerattention.runtime;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The memory that a call reads and writes: what is written must be apart from all the rest. */
final class Separation {
  private record Place(String name, Tensor tensor) {}

  private final List<Place> reads = new ArrayList<>();
  private final List<Place> writes = new ArrayList<>();

  Separation reads(String name, @Nullable Tensor tensor) {
    add(reads, name, tensor);
    return this;
  }

  Separation reads(String name, @Nullable State state) {
    add(reads, name, state);
    return this;
  }

  Separation reads(Inputs inputs) {
    return reads("q", inputs.q())
        .reads("k", inputs.k())
        .reads("v", inputs.v())
        .reads("logG", inputs.logG());
  }

  Separation writes(String name, @Nullable Tensor tensor) {
    add(writes, name, tensor);
    return this;
  }

  Separation writes(String name, @Nullable State state) {
    add(writes, name, state);
    return this;
  }

  private static void add(List<Place> places, String name, @Nullable Tensor tensor) {
    if (tensor != null) {
      places.add(new Place(name, tensor));
    }
  }

  private static void add(List<Place> places, String name, @Nullable State state) {
    if (state != null) {
      add(places, name, state.sumsAsTheyAre());
      add(places, name, state.keySumsAsTheyAre());
    }
  }

  /**
   * Checks it.
   *
   * @throws IllegalArgumentException if two share a byte and one of them is written
   */
  void check() {
    for (int n = 0; n < writes.size(); n++) {
      for (Place read : reads) {
        apart(writes.get(n), read, "results are written while inputs are still read");
      }
      for (Place other : writes.subList(0, n)) {
        apart(writes.get(n), other, "both are written");
      }
    }
  }

  private static void apart(Place a, Place b, String why) {
    if (Overlap.exists(a.tensor, b.tensor)) {
      throw new IllegalArgumentException(
          a.name
              + " of shape "
              + a.tensor.layout()
              + " overlaps "
              + b.name
              + " of shape "
              + b.tensor.layout()
              + "; "
              + why
              + ", so give separate memory");
    }
  }
}
