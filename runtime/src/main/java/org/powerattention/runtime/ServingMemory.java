package org.powerattention.runtime;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.WindowView;

/**
 * The memory of a state that only prefill and decode use: the window of latest tokens, and
 * workspaces of decode calls. None of it moves while the state is open, so that captured calls can
 * refer to it.
 */
final class ServingMemory {
  private final Accelerator accelerator;
  private final int capacity;
  private final Storage keys;
  private final Storage values;
  private final @Nullable Storage logGates;
  private final Storage spans;
  private final List<Storage> workspaces = new ArrayList<>();

  private ServingMemory(
      Accelerator accelerator,
      int capacity,
      Storage keys,
      Storage values,
      @Nullable Storage logGates,
      Storage spans) {
    this.accelerator = accelerator;
    this.capacity = capacity;
    this.keys = keys;
    this.values = values;
    this.logGates = logGates;
    this.spans = spans;
  }

  /** Allocates empty windows. */
  static ServingMemory allocate(Accelerator accelerator, KernelSpec spec, int batch, int keyHeads) {
    long heads = (long) batch * keyHeads;
    long slots = heads * spec.windowTokens();
    long vectorBytes = slots * spec.headDim() * spec.dtype().bytes();
    try (Allocations made = new Allocations()) {
      ServingMemory memory =
          new ServingMemory(
              accelerator,
              spec.windowTokens(),
              zeros(accelerator, vectorBytes, made),
              zeros(accelerator, vectorBytes, made),
              spec.gated() ? zeros(accelerator, slots * Float.BYTES, made) : null,
              zeros(accelerator, heads * 2 * Integer.BYTES, made));
      made.keep();
      return memory;
    }
  }

  private static Storage zeros(Accelerator accelerator, long bytes, Allocations made) {
    Memory memory = accelerator.backend().allocate(bytes);
    // The state's sums report it if the state is never closed; this need not.
    Storage storage = new Storage(accelerator, memory, false, "window of a state");
    return made.add(storage, storage::close);
  }

  WindowView view() {
    return new WindowView(
        capacity,
        keys.memory(),
        values.memory(),
        logGates == null ? null : logGates.memory(),
        spans.memory());
  }

  /** Returns the blocks of the window, each with one part per sequence, the spans last. */
  List<Memory> windowBlocks() {
    List<Memory> blocks = new ArrayList<>(List.of(keys.memory(), values.memory()));
    if (logGates != null) {
      blocks.add(logGates.memory());
    }
    blocks.add(spans.memory());
    return blocks;
  }

  /** Returns the block that says where each window's tokens lie, none if zero. */
  Memory spans() {
    return spans.memory();
  }

  /** Returns a workspace for one call at a time, making it if there is none as large. */
  synchronized Memory workspace(long bytes) {
    for (Storage workspace : workspaces) {
      if (workspace.memory().bytes() >= bytes) {
        return workspace.memory();
      }
    }
    // A smaller one is kept: a captured call may refer to it.
    Backend backend = accelerator.backend();
    Storage made =
        new Storage(
            accelerator, backend.allocate(Math.max(1, bytes)), false, "workspace of a state");
    workspaces.add(made);
    return made.memory();
  }

  synchronized long bytes() {
    long bytes = 0;
    for (Memory block : windowBlocks()) {
      bytes += block.bytes();
    }
    for (Storage workspace : workspaces) {
      bytes += workspace.memory().bytes();
    }
    return bytes;
  }

  synchronized void close() {
    keys.close();
    values.close();
    if (logGates != null) {
      logGates.close();
    }
    spans.close();
    workspaces.forEach(Storage::close);
  }
}
