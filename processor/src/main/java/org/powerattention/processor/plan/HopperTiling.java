package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.KernelSpec;

/**
 * Tile sizes of the BF16 kernels on Hopper's asynchronous products: warpgroups of 128 threads
 * multiply 64 rows by all columns, and one more brings operands to shared memory.
 */
final class HopperTiling {
  /** Rows of a product, and features of a slab of a snapshot. */
  static final int ROWS = 64;

  private static final int GROUP = 128;
  private static final int STATE_TOKENS = 64; // kStateTokens of tiles.cuh
  private static final int ELEMENT_BYTES = 2;
  private static final int PANEL_COLUMNS = 64; // kPanelColumns of panels.cuh
  private static final int BARRIER_BYTES = 8;

  /** Bytes of shared memory of a multiprocessor, and those that each block costs more. */
  static final int SHARED_BYTES = 228 << 10;

  static final int BLOCK_BYTES = 1 << 10;

  /** Registers for the tiles of a thread of the state pass; it needs some 35 more. */
  private static final int STATE_REGISTERS = 152;

  /** The same where three warpgroups multiply. */
  private static final int THREE_STATE_REGISTERS = 108;

  private HopperTiling() {}

  /** Registers of a block's threads: setmaxnreg moves them from those that bring to the others. */
  private record Registers(int multiplier, int bringer) {}

  static ForwardSizes of(KernelSpec spec, List<Constant> constants) {
    int headDim = spec.headDim();
    int columns = Snapshots.columns(spec);
    int slabBytes = ROWS * columns * ELEMENT_BYTES;

    // Output: as many rows as registers allow share every operand read from shared memory.
    boolean wide = headDim > 64;
    int outputGroups = wide ? 3 : 4;
    Registers output = wide ? new Registers(160, 32) : new Registers(112, 32);
    int outputRows = outputGroups * ROWS;
    int slabStages = wide ? 4 : 8;
    int keyStages = wide ? 3 : 6;
    int gateBytes = spec.gated() ? ROWS * (outputGroups * Float.BYTES + 2 * Float.BYTES) : 0;
    int rowGateBytes = spec.gated() ? 2 * Float.BYTES : 0;
    int keyStageBytes = 2 * tileBytes(headDim, ROWS) + gateBytes + 2 * BARRIER_BYTES;
    int outputShared =
        tileBytes(headDim, outputRows)
            + keyStages * keyStageBytes
            + slabStages * (slabBytes + 2 * BARRIER_BYTES)
            + outputRows * rowGateBytes;

    add(constants, "kRowStride", headDim + 8, "elements of a row in shared memory");
    add(constants, "kRowBlocks", 1, "blocks of 16 rows of a warp");
    add(constants, "kOutputGroups", outputGroups, "warpgroups of an output block that multiply");
    add(constants, "kSlabStages", slabStages, "slabs of a snapshot that it holds");
    add(constants, "kKeyStages", keyStages, "tiles of keys and values that it holds");
    add(constants, "kMultiplierRegisters", output.multiplier, "registers of a thread of these");
    add(constants, "kBringerRegisters", output.bringer, "of a thread that brings operands");
    State state = state(spec, constants);
    return new ForwardSizes(
        outputRows,
        (outputGroups + 1) * GROUP,
        outputShared,
        state.features,
        state.threads,
        state.sharedBytes,
        Snapshots.stateBytes(spec),
        true);
  }

  /**
   * A block of a walk along a sequence.
   *
   * @param features features of the state that it keeps
   * @param threads its threads
   * @param sharedBytes its shared memory
   */
  record State(int features, int threads, int sharedBytes) {}

  /** How a walk's features are shared: among blocks, and a block's among its warpgroups' tiles. */
  private record Shares(int blocks, int groups, int groupTiles) {
    /** Returns shares of so many warpgroups that hold up to so many tiles: as few blocks as do. */
    static Shares of(int slabs, int groups, int mostTiles) {
      int blocks = divideUp(slabs, groups * mostTiles);
      return new Shares(blocks, groups, divideUp(slabs, groups * blocks));
    }

    /** Returns the tiles of all, some of which may be empty. */
    int tiles() {
      return blocks * groups * groupTiles;
    }
  }

  /**
   * Plans the blocks of a walk. A warpgroup's accumulators are its features times all columns.
   * Three warpgroups hide more than two, but hold fewer tiles each, and those that bring have fewer
   * registers, too few for wide heads; they are taken where that leaves fewer tiles empty.
   */
  static State state(KernelSpec spec, List<Constant> constants) {
    int headDim = spec.headDim();
    int columns = Snapshots.columns(spec);
    int slabs = divideUp(spec.featureDim(), ROWS);
    int tileRegisters = columns / 2 + (spec.degree() > 2 ? 8 : 0); // sums, and which features
    boolean wide = headDim > 64;
    Shares shares = Shares.of(slabs, Math.min(2, slabs), STATE_REGISTERS / tileRegisters);
    Registers registers = wide ? new Registers(184, 136) : new Registers(224, 56);
    Shares three = Shares.of(slabs, 3, THREE_STATE_REGISTERS / tileRegisters);
    if (!wide && slabs >= 3 && three.tiles() < shares.tiles()) {
      shares = three;
      registers = new Registers(152, 56);
    }
    int groups = shares.groups;
    int groupTiles = shares.groupTiles;
    int stages = wide ? 3 : 4;
    int keyCopies = spec.degree() > 1 ? 2 : 1;
    int stageBytes =
        tileBytes(columns, STATE_TOKENS)
            + headDim * (STATE_TOKENS + 16) * keyCopies * ELEMENT_BYTES
            + 2 * BARRIER_BYTES;
    int rawBytes = STATE_TOKENS * ((headDim + 8) * ELEMENT_BYTES + Float.BYTES);
    int rawStages = 3;
    while (stages * stageBytes + rawStages * rawBytes > SHARED_BYTES - BLOCK_BYTES) {
      rawStages--;
    }
    int sharedBytes = stages * stageBytes + rawStages * rawBytes;
    add(constants, "kStateGroups", groups, "warpgroups of a state block that multiply");
    add(constants, "kGroupTiles", groupTiles, "tiles of 64 features of each");
    add(constants, "kStateStages", stages, "steps of tokens that it holds");
    add(constants, "kRawStages", rawStages, "steps of keys as they are that it holds");
    add(
        constants,
        "kStateMultiplierRegisters",
        registers.multiplier,
        "registers of a thread of these");
    add(constants, "kStateBringerRegisters", registers.bringer, "of a thread that brings operands");
    return new State(groups * groupTiles * ROWS, (groups + 1) * GROUP, sharedBytes);
  }

  /** Returns the bytes of rows that threads copy, in panels of panels.cuh. */
  static int tileBytes(int columns, int rows) {
    return divideUp(columns, PANEL_COLUMNS) * PANEL_COLUMNS * rows * ELEMENT_BYTES;
  }

  private static void add(List<Constant> constants, String name, int value, String comment) {
    constants.add(new Constant("int", name, value, comment));
  }

  private static int divideUp(int dividend, int divisor) {
    return (dividend + divisor - 1) / divisor;
  }
}
