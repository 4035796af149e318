#pragma once
// Walks along a sequence on Hopper's asynchronous products. Of a block's warpgroups, kStateGroups keep
// features of the state in registers and multiply; the last one brings steps of kStateTokens tokens:
// values as they are, and keys transposed, so that the multipliers build features from them. A walk
// for the gradient of the state has queries and dy in their places.

constexpr int kStateMultipliers = kStateGroups * kGroup;

constexpr int kValuePanels = (kSumColumns + kPanelColumns - 1) / kPanelColumns;

// Values of a step, in panels; in the columns behind them the sum_factors.
typedef element StateValues[kValuePanels * kStateTokens * kPanelColumns];

// Keys of a step.
struct StateStep {
  element weighted_keys[kHeadDim][kKeyStride];  // in lane order, times the tokens' weights
#if DEGREE > 1
  element keys[kHeadDim][kKeyStride];  // in lane order
#endif
};

struct RawKeys {
  element rows[kStateTokens][kHeadDim + 8];
  float weights[kStateTokens];  // of their tokens, in lane order
};

struct StateShared {
  StateValues values[kStateStages];
  StateStep steps[kStateStages];
  RawKeys keys[kRawStages];  // of the step being brought and of the next, as they are
  uint64 full[kStateStages];
  uint64 empty[kStateStages];

  // In thread 0, before a barrier.
  __device__ __forceinline__ void start() {
    for (int stage = 0; stage < kStateStages; stage++) {
      barrier_init(full[stage], 2 * kGroup);
      barrier_init(empty[stage], kStateMultipliers / 32);
    }
    barrier_init_fence();
  }
};
static_assert(sizeof(StateShared) == kStateSharedBytes, "the launch must match");

// Which of the block's places for steps comes next, and the parity of the phase in which it is full.
struct StepPlace {
  int stage = 0;
  int parity = 0;

  __device__ __forceinline__ void advance() {
    if (++stage == kStateStages) {
      stage = 0;
      parity ^= 1;
    }
  }

  __device__ __forceinline__ int last() const { return (stage == 0 ? kStateStages : stage) - 1; }
};

// The block of 16 features of the state that a warp has in a tile of its warpgroup's.
__device__ __forceinline__ FeatureBlock block_of_tile(int first_block, int tile) {
  return FeatureBlock(min(first_block + tile * 4, kFeatures / 16 - 1));
}

// Builds A operands of a warp's features, one for each tile, from 16 of a step's keys. What they are
// made of is loaded ahead.
class KeyOperands {
#if DEGREE == 2
  // Where this lane finds them, in bytes: x_i of the tile's two rows, and x_j (upper half).
  uint32 places[kGroupTiles];
  FourElements first[kGroupTiles][2];  // x_i, where the tile before does not have the same
  FourElements second[kGroupTiles];    // x_j

  __device__ __forceinline__ bool shares_first(int tile) const {
    return tile > 0 && ((places[tile] ^ places[tile - 1]) & 0xffff) == 0;
  }

 public:
  __device__ __forceinline__ KeyOperands(int first_block) {
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
      const FeatureBlock block = block_of_tile(first_block, i);
      const int row = block.first_tile * 8 + block.row;
      const int column = block.second_tile * 8 + threadIdx.x % 32 / 4;
      const int token = threadIdx.x % 4 * 4;
      places[i] = (row * kKeyStride + token) * sizeof(element) |
                  (column * kKeyStride + token) * sizeof(element) << 16;
    }
  }

  __device__ __forceinline__ void load(const StateStep& step, int token) {
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
      if (!shares_first(i)) {
        const element* row =
            &step.weighted_keys[0][token] + (places[i] & 0xffff) / sizeof(element);
        first[i][0] = load_four(row);
        first[i][1] = load_four(row + kKeyStride);
      }
      second[i] = load_four(&step.keys[0][token] + (places[i] >> 16) / sizeof(element));
    }
  }

  __device__ __forceinline__ void build(Pair (&a)[kGroupTiles][4], const StateStep&, int) const {
    FourElements xi[2];
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
      const bool shares = shares_first(i);
#pragma unroll
      for (int r = 0; r < 2; r++) {
        xi[r].x = shares ? xi[r].x : first[i][r].x;
        xi[r].y = shares ? xi[r].y : first[i][r].y;
      }
      a[i][0] = operand_times(pair_of(xi[0].x), pair_of(second[i].x));
      a[i][1] = operand_times(pair_of(xi[1].x), pair_of(second[i].x));
      a[i][2] = operand_times(pair_of(xi[0].y), pair_of(second[i].y));
      a[i][3] = operand_times(pair_of(xi[1].y), pair_of(second[i].y));
    }
  }
#else
  FeatureBlock blocks[kGroupTiles];

 public:
  __device__ __forceinline__ KeyOperands(int first_block) {
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) blocks[i] = block_of_tile(first_block, i);
  }

  __device__ __forceinline__ void load(const StateStep&, int) {}

  __device__ __forceinline__ void build(
      Pair (&a)[kGroupTiles][4], const StateStep& step, int token) const {
#if DEGREE > 1
    const element(*keys)[kKeyStride] = step.keys;
#else
    const element(*keys)[kKeyStride] = step.weighted_keys;
#endif
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
      key_features(a[i], step.weighted_keys, keys, blocks[i], token, threadIdx.x % 32 / 4,
                   threadIdx.x % 4);
    }
  }
#endif
};

// threadIdx.x, which the compiler does not remember.
__device__ __forceinline__ int fresh_thread() {
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

// The state of one key/value head over the features of a warpgroup, kGroupTiles tiles of 64. A warp
// has 16 features of each; a lane features g and g + 8 and of every 8 columns the two from 2t on: of
// S, then z.
struct StateTiles {
  float sums[kGroupTiles][kSumColumns / 2];
  KeyOperands operands;

  __device__ __forceinline__ StateTiles() : sums{}, operands(first_block()) {}

  // This warp's block of the first tile. Computed anew where it is needed: sums leave no register
  // for it.
  __device__ __forceinline__ static int first_block() {
    const int thread = fresh_thread();
    return (blockIdx.x * kStateGroups + thread / kGroup) * kGroupTiles * 4 + thread % kGroup / 32;
  }

  // Calls body(value, tile, feature, column) for every number that this lane holds; column kHeadDim
  // is that of z.
  template <typename Body>
  __device__ __forceinline__ void for_each(Body body) {
    const int first_block = StateTiles::first_block();
    const int g = threadIdx.x % 32 / 4;
    const int t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
      if (first_block + i * 4 >= kFeatures / 16) continue;
#pragma unroll
      for (int n = 0; n < kSumColumns / 8; n++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          const int column = n * 8 + 2 * t + c % 2;
          if (n * 8 + c % 2 > kHeadDim || column > kHeadDim) continue;
          body(sums[i][n * 4 + c], i, (first_block + i * 4) * 16 + g + c / 2 * 8, column);
        }
      }
    }
  }

  __device__ __forceinline__ void decay(float factor) {
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
#pragma unroll
      for (int n = 0; n < kSumColumns / 2; n++) sums[i][n] *= factor;
    }
  }
};

__device__ __forceinline__ void write_state(StateTiles& tiles, float* sums, float* key_sums) {
  tiles.for_each([&](float& value, int, int feature, int column) {
    if (column < kHeadDim) {
      sums[(int64)feature * kHeadDim + column] = value;
    } else {
      key_sums[feature] = value;
    }
  });
}

// Starts adding products of 16 of a step's tokens.
__device__ __forceinline__ void start_products(
    StateTiles& tiles, const Pair (&a)[kGroupTiles][4], const StateValues& values, int token) {
  wgmma_fence();
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) {
    multiply_group(tiles.sums[i], a[i], panel_rows<kStateTokens>(values, token).packed());
  }
  wgmma_commit();
}

// S += sum over a step's tokens of weight_j phi(k_j) (v_j, 1)^T, 16 tokens at a time. Of two
// warpgroups, each builds operands while its products of the tokens before are under way; of three,
// while the others' are, which leaves more registers for sums. Of a step's last tokens they still are
// when it ends. `release` is called when those of the step before are done.
template <typename Release>
__device__ __forceinline__ void add_tokens(
    StateTiles& tiles, const StateStep& step, const StateValues& values, Release release) {
  KeyOperands& operands = tiles.operands;
  if constexpr (kStateGroups > 2) {
    Pair a[kGroupTiles][4];
#pragma unroll
    for (int token = 0; token < kStateTokens; token += 16) {
      operands.load(step, token);
      wgmma_wait<0>();
      if (token == 0) release();
      operands.build(a, step, token);
      start_products(tiles, a, values, token);
    }
  } else {
    Pair a[2][kGroupTiles][4];
    operands.load(step, 0);
    operands.build(a[0], step, 0);
#pragma unroll
    for (int token = 0; token < kStateTokens; token += 16) {
      start_products(tiles, a[token / 16 % 2], values, token);
      if (token + 16 < kStateTokens) operands.load(step, token + 16);
      wgmma_wait<1>();
      if (token == 0) release();
      if (token + 16 < kStateTokens) operands.build(a[token / 16 % 2 ^ 1], step, token + 16);
    }
  }
}

// Steps of tokens [first, end).
__device__ __forceinline__ int step_count(int64 first, int64 end) {
  return (int)((end - first + kStateTokens - 1) / kStateTokens);
}

// Adds as many steps, at least one, as the bringing warpgroup brings of a chunk.
__device__ __forceinline__ void add_steps(
    StateTiles& tiles, StateShared& shared, int steps, StepPlace& place) {
  const auto release_last = [&] {
    if (threadIdx.x % 32 == 0) barrier_arrive(shared.empty[place.last()]);
  };
#pragma unroll 1
  for (int i = 0; i < steps; i++, place.advance()) {
    barrier_wait(shared.full[place.stage], place.parity);
    fence_async_reads();
    add_tokens(tiles, shared.steps[place.stage], shared.values[place.stage], [&] {
      if (i > 0) release_last();
    });
    // All lanes have read the step's keys, not only the one that releases it later. At a release, between
    // products, this would serialize them.
    __syncwarp();
  }
  wgmma_wait<0>();
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) wgmma_results(tiles.sums[i]);
  release_last();
}
