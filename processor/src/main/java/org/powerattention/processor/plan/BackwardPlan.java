package org.powerattention.processor.plan;

import java.util.List;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/**
 * Tile sizes of the backward kernels, which use tensor cores for every dtype. On Hopper, the walks
 * and the queries', keys' and values' gradients are written with {@code wgmma} where {@link
 * #usesWgmma} says so.
 */
final class BackwardPlan {
  private static final int WARP = 32;
  private static final int WARP_ROWS = 16;
  private static final int SLAB_FEATURES = 64; // kSlab of contraction.cuh
  private static final int MAX_QUERY_WARPS = 8;

  /** Most warps of a block of keys: two chunks' states part at multiples of 64 keys. */
  private static final int MAX_KEY_WARPS = 4;

  private static final int MAX_STATE_WARPS = 4;

  /** Most tokens that rows meet at a time. */
  private static final int MAX_STEP = 32;

  private static final int MULTIPROCESSOR_REGISTERS = 1 << 16;

  /** Fewer warps than these to a block leave a multiprocessor idle. */
  private static final int ENOUGH_WARPS = 4;

  private final KernelSpec spec;
  private final Family family;
  private final int headDim;
  private final int elementBytes;
  private final int operandBytes; // sizeof(stored) of fragments.cuh
  private final int rowStride;
  private final boolean wide;

  private BackwardPlan(KernelSpec spec, Family family) {
    this.spec = spec;
    this.family = family;
    this.headDim = spec.headDim();
    this.elementBytes = spec.dtype().bytes();
    this.operandBytes = spec.dtype() == DType.BF16 ? 2 : 4;
    this.rowStride = headDim + 8;
    this.wide = headDim > 64;
  }

  /** Warpgroups of a block of 64 rows each: two blocks of these did better than one of four. */
  private static final int GROUPS = 2;

  private static final int GROUP_ROWS = 64;
  private static final int GROUP_THREADS = 128;
  private static final int MAX_SLOTS = 8;

  /**
   * A block of rows.
   *
   * @param warps its warps, of 16 rows each
   * @param stages slabs of a snapshot that it holds
   * @param step tokens that its rows meet at a time
   * @param sharedBytes its shared memory
   */
  private record Block(int warps, int stages, int step, int sharedBytes) {
    int threads() {
      return warps * WARP;
    }

    int rows() {
      return warps * WARP_ROWS;
    }
  }

  /** Whether a spec's states and gradients are computed by {@code wgmma}, with its layout. */
  static boolean usesWgmma(KernelSpec spec, Family family) {
    return family.multipliesInGroups(spec) && spec.degree() == 2;
  }

  /** Returns the most columns, a divisor of headDim, that one {@code wgmma} is written for. */
  static int stripColumns(KernelSpec spec) {
    return Math.min(64, Integer.lowestOneBit(spec.headDim()));
  }

  static BackwardSizes of(KernelSpec spec, Family family, List<Constant> constants) {
    return new BackwardPlan(spec, family).plan(constants);
  }

  private BackwardSizes plan(List<Constant> constants) {
    long snapshotBytes = Snapshots.gradientBytes(spec);
    boolean wgmma = usesWgmma(spec, family);
    add(constants, "kRowStride", rowStride, "elements of a row in shared memory");
    HopperTiling.State state = wgmma ? HopperTiling.state(spec, constants) : state();
    add(constants, "kStateFeatures", state.features(), "features of a state block");
    if (!wgmma) {
      add(constants, "kWarpBlocks", warpFeatures() / 16, "blocks of 16 features of a warp");
    }
    add(constants, "kStateThreads", state.threads(), "threads of a state block");
    add(constants, "kStateSharedBytes", state.sharedBytes(), "its shared memory, bytes");
    Rows rows = wgmma ? wgmmaRows(constants) : rows(constants);
    Snapshots.add(spec, constants);
    constants.add(
        new Constant(
            "long long",
            "kStateBytes",
            Snapshots.stateBytes(spec),
            "state of one head at one chunk's start, bytes"));
    constants.add(
        new Constant(
            "long long", "kSnapshotBytes", snapshotBytes, "gradient of such a state, bytes"));
    constants.add(RowTiles.turn(snapshotBytes));
    return new BackwardSizes(
        state.features(),
        state.threads(),
        state.sharedBytes(),
        rows.queryRows,
        rows.queryThreads,
        rows.querySharedBytes,
        rows.keyRows,
        rows.keyThreads,
        rows.keySharedBytes,
        rows.byWarpgroups,
        snapshotBytes);
  }

  /** Blocks of query rows and of key rows. */
  private record Rows(
      int queryRows,
      int queryThreads,
      int querySharedBytes,
      int keyRows,
      int keyThreads,
      int keySharedBytes,
      boolean byWarpgroups) {}

  private Rows rows(List<Constant> constants) {
    // Queries do not wait for a chunk's end in the middle of a block where that can be avoided.
    int queryWarps = spec.chunk() % (MAX_QUERY_WARPS * WARP_ROWS) == 0 ? MAX_QUERY_WARPS : 4;
    Block query = block(queryWarps, 3 * Float.BYTES);
    Block key = block(MAX_KEY_WARPS, 4 * Float.BYTES);
    add(constants, "kQueryRows", query.rows(), "rows of a query block");
    add(constants, "kQueryThreads", query.threads(), "its threads");
    add(constants, "kQueryBlocks", blocks(query, 128), "such blocks of a multiprocessor");
    add(constants, "kQueryStages", query.stages, "slabs of a snapshot that it holds");
    add(constants, "kQueryKeys", query.step, "keys of a step of attention");
    add(constants, "kQuerySharedBytes", query.sharedBytes, "its shared memory, bytes");
    add(constants, "kKeyRows", key.rows(), "rows of a key block");
    add(constants, "kKeyThreads", key.threads(), "its threads");
    add(constants, "kKeyBlocks", blocks(key, 168), "such blocks of a multiprocessor");
    add(constants, "kKeyStages", key.stages, "slabs of a snapshot that it holds");
    add(constants, "kKeyQueries", key.step, "queries of a step of attention");
    add(constants, "kKeySharedBytes", key.sharedBytes, "its shared memory, bytes");
    return new Rows(
        query.rows(),
        query.threads(),
        query.sharedBytes,
        key.rows(),
        key.threads(),
        key.sharedBytes,
        false);
  }

  /** Queries, keys and values share one size of block. */
  private Rows wgmmaRows(List<Constant> constants) {
    int blocks = wide ? 1 : 2; // registers allow 128 or 255 to a thread
    int limit = HopperTiling.SHARED_BYTES / blocks - HopperTiling.BLOCK_BYTES;
    int slots = MAX_SLOTS;
    while (wgmmaSharedBytes(slots) > limit) {
      slots--;
    }
    int rows = GROUPS * GROUP_ROWS;
    int threads = GROUPS * GROUP_THREADS;
    int sharedBytes = wgmmaSharedBytes(slots);
    add(constants, "kGroups", GROUPS, "warpgroups of a block of 64 queries or keys each");
    add(constants, "kGradientThreads", threads, "its threads");
    add(constants, "kGradientBlocks", blocks, "such blocks of a multiprocessor");
    add(constants, "kSlots", slots, "slabs of a snapshot that it holds");
    add(constants, "kStrip", stripColumns(spec), "columns of one product");
    add(constants, "kGradientSharedBytes", sharedBytes, "its shared memory, bytes");
    return new Rows(rows, threads, sharedBytes, rows, threads, sharedBytes, true);
  }

  /** Bytes of struct GradientShared of block_90a.cuh, or a few more. */
  private int wgmmaSharedBytes(int slots) {
    int rows = GROUPS * GROUP_ROWS;
    int rowBytes = 2 * HopperTiling.tileBytes(headDim, rows) + rows * headDim * Float.BYTES;
    int slabBytes = SLAB_FEATURES * headDim * elementBytes;
    int tokenBytes = 2 * 2 * HopperTiling.tileBytes(headDim, GROUP_ROWS);
    int sourceBytes = GROUPS * GROUP_THREADS * 2 * Long.BYTES;
    int termBytes = 2 * GROUPS * GROUP_ROWS * 4 * Float.BYTES;
    int barrierBytes = slots * 2 * Long.BYTES;
    int placeBytes = (9 + GROUPS) * Long.BYTES;
    int bytes =
        rowBytes
            + Math.max(slots * slabBytes, tokenBytes)
            + sourceBytes
            + termBytes
            + barrierBytes
            + placeBytes;
    return divideUp(bytes, 128) * 128;
  }

  private HopperTiling.State state() {
    int warpFeatures = warpFeatures();
    int warps = Math.min(MAX_STATE_WARPS, divideUp(spec.featureDim(), warpFeatures));
    return new HopperTiling.State(warps * warpFeatures, warps * WARP, stateSharedBytes());
  }

  /** A warp's accumulators are its features times all value columns, in registers. */
  private int warpFeatures() {
    int most =
        switch (spec.dtype()) {
          case BF16 -> wide ? 32 : 64;
          case FP16 -> 32;
          case FP32 -> wide ? 16 : 32;
        };
    return spec.degree() == 1 ? Math.min(most, divideUp(spec.featureDim(), 64) * 16) : most;
  }

  private int stateSharedBytes() {
    int tokens = spec.dtype() == DType.FP32 ? 32 : 64; // kStateTokens of tiles.cuh
    int weights = (spec.normalized() ? 2 : 1) * 2 * tokens * Float.BYTES;
    return tokens * rowStride * (2 * elementBytes + operandBytes)
        + headDim * (tokens + 16) * elementBytes
        + weights;
  }

  /**
   * Returns how many blocks registers are to suffice for, where products need few: so many warps
   * hide more than registers for all operands of a step do.
   *
   * @param registers what a thread then has
   */
  private int blocks(Block block, int registers) {
    boolean few = spec.dtype() == DType.BF16 && !wide;
    return few ? MULTIPROCESSOR_REGISTERS / (block.threads() * registers) : 1;
  }

  /**
   * Returns the largest block that fits, with two stages rather than one and more tokens to a step
   * rather than fewer.
   *
   * @param tokenBytes bytes of a step's token besides two rows
   */
  private Block block(int maxWarps, int tokenBytes) {
    for (int limit : limits()) {
      int least = limit == limits()[limits().length - 1] ? 1 : ENOUGH_WARPS;
      for (int warps = maxWarps; warps >= least; warps /= 2) {
        for (int stages = 2; stages >= 1; stages--) {
          for (int step = MAX_STEP; step >= WARP_ROWS; step /= 2) {
            int stepBytes = 2 * step * (2 * rowStride * elementBytes + tokenBytes);
            int bytes = sharedBytes(warps, stages, stepBytes);
            if (bytes <= limit) {
              return new Block(warps, stages, step, bytes);
            }
          }
        }
      }
    }
    throw new IllegalStateException("no tile of " + spec + " fits " + family);
  }

  private int sharedBytes(int warps, int stages, int stepBytes) {
    int slabColumns = spec.dtype() == DType.BF16 ? headDim : rowStride;
    int slabBytes =
        SLAB_FEATURES * (slabColumns * operandBytes + (spec.normalized() ? Float.BYTES : 0));
    int rowBytes = rowStride * (2 * elementBytes + Float.BYTES);
    return warps * WARP_ROWS * rowBytes + Math.max(stages * slabBytes, stepBytes);
  }

  /** Bytes of shared memory to stay within, the best first. */
  private int[] limits() {
    return switch (family) {
      case SM_80 -> new int[] {99 << 10}; // one block on consumer GPUs
      case SM_90A -> new int[] {113 << 10, 227 << 10}; // two blocks, or one
    };
  }

  private static void add(List<Constant> constants, String name, int value, String comment) {
    constants.add(new Constant("int", name, value, comment));
  }

  private static int divideUp(int dividend, int divisor) {
    return (dividend + divisor - 1) / divisor;
  }
}
