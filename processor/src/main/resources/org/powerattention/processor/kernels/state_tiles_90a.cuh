#pragma once
// Walks along a sequence on Hopper's asynchronous products. Of a block's warpgroups, kStateGroups keep
// features of the state in registers and multiply; the last one brings steps of kStateTokens tokens:
// values as they are, and keys transposed, so that the multipliers build features from them. A walk
// for the gradient of the state has queries and dy in their places.

constexpr int kStateMultipliers = kStateGroups * kGroup;

struct StateStep {
  element values[kStateTokens * kSumColumns];  // core matrices; behind the values, the sum_factors
  element weighted_keys[kHeadDim][kKeyStride];  // in lane order, times the tokens' weights
#if DEGREE > 1
  element keys[kHeadDim][kKeyStride];  // in lane order
#endif
};

constexpr int kRawStages = 3;

struct RawKeys {
  element rows[kStateTokens][kHeadDim + 8];
};

struct StateShared {
  StateStep steps[kStateStages];
  RawKeys keys[kRawStages];  // of the step being brought and of the next two, as they are
  float weights[2][kStateTokens];  // of the step being brought and of the next, in lane order
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

// The block of 16 features of the state that a warp has in a tile of its warpgroup's.
__device__ __forceinline__ FeatureBlock block_of_tile(int first_block, int tile) {
  return FeatureBlock(min(first_block + tile * 4, kFeatures / 16 - 1));
}

// Builds A operands of a warp's features from a step's keys: of product i, tokens 16 (i / kGroupTiles)
// and on, tile i % kGroupTiles. What they are made of is loaded a product ahead.
class KeyOperands {
#if DEGREE == 2
  // Where this lane finds them, in bytes: x_i of the tile's two rows, and x_j (upper half).
  uint32 places[kGroupTiles];
  // The next product's, of four tokens.
  FourElements first[2];
  FourElements second;

 public:
  __device__ __forceinline__ KeyOperands(int first_block) {
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
      const FeatureBlock block = block_of_tile(first_block, i);
      const int row = block.first_tile * 8 + block.row;
      const int column = block.second_tile * 8 + threadIdx.x % 32 / 4;
      places[i] = row * kKeyStride * sizeof(element) |
                  (column * kKeyStride + threadIdx.x % 4 * 4) * sizeof(element) << 16;
    }
  }

  __device__ __forceinline__ void load(const StateStep& step, int i) {
    const uint32 place = places[i % kGroupTiles];
    const int token = i / kGroupTiles * 16;
    // Tiles that follow one another mostly share x_i.
    if (i % kGroupTiles == 0 || (place ^ places[i % kGroupTiles - 1]) & 0xffff) {
      const element* row = &step.weighted_keys[0][token + threadIdx.x % 4 * 4];
      row += (place & 0xffff) / sizeof(element);
      first[0] = load_four(row);
      first[1] = load_four(row + kKeyStride);
    }
    second = load_four(&step.keys[0][token] + (place >> 16) / sizeof(element));
  }

  __device__ __forceinline__ void build(Pair (&a)[4], const StateStep&, int) const {
    a[0] = operand_times(pair_of(first[0].x), pair_of(second.x));
    a[1] = operand_times(pair_of(first[1].x), pair_of(second.x));
    a[2] = operand_times(pair_of(first[0].y), pair_of(second.y));
    a[3] = operand_times(pair_of(first[1].y), pair_of(second.y));
  }
#else
  FeatureBlock blocks[kGroupTiles];

 public:
  __device__ __forceinline__ KeyOperands(int first_block) {
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) blocks[i] = block_of_tile(first_block, i);
  }

  __device__ __forceinline__ void load(const StateStep&, int) {}

  __device__ __forceinline__ void build(Pair (&a)[4], const StateStep& step, int i) const {
#if DEGREE > 1
    const element(*keys)[kKeyStride] = step.keys;
#else
    const element(*keys)[kKeyStride] = step.weighted_keys;
#endif
    Pair features[2][2];
    key_features(features, step.weighted_keys, keys, blocks[i % kGroupTiles],
                 i / kGroupTiles * 16, threadIdx.x % 32 / 4, threadIdx.x % 4);
    a[0] = features[0][0];
    a[1] = features[1][0];
    a[2] = features[0][1];
    a[3] = features[1][1];
  }
#endif
};

// The state of one key/value head over the features of a warpgroup, kGroupTiles tiles of 64. A warp
// has 16 features of each; a lane features g and g + 8 and of every 8 columns the two from 2t on: of
// S, then z.
struct StateTiles {
  float sums[kGroupTiles][kSumColumns / 2];
  int first_block;
  KeyOperands operands;

  __device__ __forceinline__ StateTiles()
      : sums{},
        first_block((blockIdx.x * kStateGroups + threadIdx.x / kGroup) * kGroupTiles * 4 +
                    threadIdx.x % kGroup / 32),
        operands(first_block) {}

  // Of a tile's features.
  __device__ __forceinline__ float multiplicity(int tile) const {
    return block_of_tile(first_block, tile).multiplicity();
  }

  // Calls body(value, tile, feature, column) for every number that this lane holds; column kHeadDim
  // is that of z.
  template <typename Body>
  __device__ __forceinline__ void for_each(Body body) {
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

// S += sum over a step's tokens of weight_j phi(k_j) (v_j, 1)^T. Before the first products are awaited,
// those of the step before may be under way: `release` is called when they are done.
template <typename Release>
__device__ __forceinline__ void add_tokens(
    StateTiles& tiles, const StateStep& step, Release release) {
  constexpr int products = kStateTokens / 16 * kGroupTiles;
  // Operands are built while the product before them is under way: the one before that has to be
  // done with theirs.
  KeyOperands& operands = tiles.operands;
  Pair a[3][4];
  operands.load(step, 0);
  operands.build(a[0], step, 0);
  if (products > 1) operands.load(step, 1);
#pragma unroll
  for (int i = 0; i < products; i++) {
    wgmma_fence();
    multiply_group<true>(
        tiles.sums[i % kGroupTiles], a[i % 3],
        summed_rows<kSumColumns>(step.values + i / kGroupTiles * 16 * kSumColumns));
    wgmma_commit();
    if (i + 1 < products) operands.build(a[(i + 1) % 3], step, i + 1);
    if (i + 2 < products) operands.load(step, i + 2);
    wgmma_wait<1>();
    if (i == 1 || products == 1) release();
  }
}

// Steps of tokens [first, end).
__device__ __forceinline__ int step_count(int64 first, int64 end) {
  return (int)((end - first + kStateTokens - 1) / kStateTokens);
}

// Adds as many steps, at least one, as the bringing warpgroup brings of a chunk; `step` counts the
// steps of all chunks.
__device__ __forceinline__ void add_steps(
    StateTiles& tiles, StateShared& shared, int steps, int& step) {
#pragma unroll 1
  for (int i = 0; i < steps; i++, step++) {
    const int stage = step % kStateStages;
    barrier_wait(shared.full[stage], step / kStateStages % 2);
    fence_async_reads();
    add_tokens(tiles, shared.steps[stage], [&] {
      if (i > 0 && threadIdx.x % 32 == 0) {
        barrier_arrive(shared.empty[(step - 1) % kStateStages]);
      }
    });
  }
  wgmma_wait<0>();
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) wgmma_results(tiles.sums[i]);
  if (threadIdx.x % 32 == 0) barrier_arrive(shared.empty[(step - 1) % kStateStages]);
}

// Rows of a head whose tokens are brought.
struct TokenRange {
  const element* k;
  const element* v;
  int64 k_stride;
  int64 v_stride;
  bool k_aligned;
  bool v_aligned;
};

// What a thread of the bringing warpgroup knows of one token of the step that it brings next; it is
// loaded a step before it is needed, and nothing is done with it until then, so that no warp waits
// for it. Its numbers are those of `Terms`, which has
//   Numbers load(token)                 loads them
//   float weight(numbers, token)        the token's weight in the sum
//   TwoElements sum_factors(numbers)    what multiplies its features in z: the sum of both

// Of keys, in a sum over their chunk's tokens.
struct KeyTerms {
  int64 chunk_first;  // the chunk's first token
#if GATED
  const double* gate_sum;
  double before;  // G of the chunk's tokens does not have this; that of the tokens before it does
  double last;
#endif

  struct Numbers {
    double gate;
  };

  __device__ __forceinline__ KeyTerms(
      const Arguments& args, const Sequence& sequence, int64 head, int64 chunk, int64 chunk_end)
      : chunk_first(chunk * args.chunk) {
#if GATED
    gate_sum = args.gate_sum + token_place(args, sequence, head);
    before = chunk > 0 ? gate_sum[chunk_first - 1] : 0.0;
    last = gate_at(args, gate_sum, chunk, chunk_end - 1);
#endif
  }

  __device__ __forceinline__ Numbers load(int64 token) const {
#if GATED
    return Numbers{gate_sum[token]};
#else
    return Numbers{};
#endif
  }

  // exp(G_last - G_j)
  __device__ __forceinline__ float weight(const Numbers& numbers, int64 token) const {
#if GATED
    const double gate = token < chunk_first ? numbers.gate - before : numbers.gate;
    return expf((float)(last - gate));
#else
    return 1;
#endif
  }

  __device__ __forceinline__ TwoElements sum_factors(const Numbers&) const {
    return elements_of(1.0f, 0.0f);
  }
};

// Starts copying the keys of a step as they are, tokens from `end` on as zeros. Every other 16 rows
// have neighbouring pieces of 8 dimensions exchanged, which spreads what a warp reads over the banks.
__device__ __forceinline__ void bring_keys(
    RawKeys& keys, const TokenRange& range, int64 first, int64 end) {
  if (!range.k_aligned) return;
  constexpr int pieces = kHeadDim / 8;  // of a row
  const element* k = range.k + first * range.k_stride;
#pragma unroll
  for (int i = 0; i < (kStateTokens * pieces + kGroup - 1) / kGroup; i++) {
    const int piece = i * kGroup + threadIdx.x % kGroup;
    const int row = piece / pieces;
    const int column = piece % pieces;
    if (row >= kStateTokens) break;
    const bool valid = first + row < end;
    copy_async_16(&keys.rows[row][(column ^ row / 16 % 2) * 8],
                  valid ? k + row * range.k_stride + column * 8 : range.k, valid);
  }
}

// Transposes a step's keys into lane order: a thread takes the four tokens that are neighbours there,
// of 8 dimensions.
__device__ __forceinline__ void store_keys(
    StateStep& step, const RawKeys& keys, const float* weights) {
#pragma unroll
  for (int i = 0; i < (kStateTokens / 4 * (kHeadDim / 8) + kGroup - 1) / kGroup; i++) {
    const int piece = i * kGroup + threadIdx.x % kGroup;
    const int dimension = piece / 16 * 8;
    const int place = piece % 16 * 4;
    if (dimension >= kHeadDim) break;
    uint32 rows[4][4];
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int row = piece % 16 / 4 * 16 + piece % 4 * 2 + e % 2 + e / 2 * 8;
      const uint4 words = *reinterpret_cast<const uint4*>(
          &keys.rows[row][dimension ^ row / 16 % 2 * 8]);
      rows[e][0] = words.x;
      rows[e][1] = words.y;
      rows[e][2] = words.z;
      rows[e][3] = words.w;
    }
    const float4 weight = *reinterpret_cast<const float4*>(&weights[place]);
#pragma unroll
    for (int e = 0; e < 8; e++) {
      const int take = e % 2 == 0 ? 0x5410 : 0x7632;
      uint2 four;
      four.x = __byte_perm(rows[0][e / 2], rows[1][e / 2], take);
      four.y = __byte_perm(rows[2][e / 2], rows[3][e / 2], take);
#if DEGREE > 1
      *reinterpret_cast<uint2*>(&step.keys[dimension + e][place]) = four;
#endif
      four.x = elements_of(low_of(four.x) * weight.x, high_of(four.x) * weight.y);
      four.y = elements_of(low_of(four.y) * weight.z, high_of(four.y) * weight.w);
      *reinterpret_cast<uint2*>(&step.weighted_keys[dimension + e][place]) = four;
    }
  }
}

// The same for rows that cannot be read 16 bytes at a time.
__device__ __forceinline__ void store_unaligned_keys(
    StateStep& step, const TokenRange& range, int64 first, int64 end, const float* weights) {
#pragma unroll 1
  for (int i = threadIdx.x % kGroup; i < kStateTokens * kHeadDim; i += kGroup) {
    const int place = lane_order(i / kHeadDim);
    const int dimension = i % kHeadDim;
    const int64 token = min(first + i / kHeadDim, end - 1);
    const element key = range.k[token * range.k_stride + dimension];
#if DEGREE > 1
    step.keys[dimension][place] = key;
#endif
    step.weighted_keys[dimension][place] = element_of(float_of(key) * weights[place]);
  }
}

// Starts copying a step's values, and writes `factors` of this thread's token behind them; of tokens
// behind the last there are zeros.
__device__ __forceinline__ void bring_values(
    StateStep& step, const TokenRange& range, int64 first, int64 end,
    TwoElements factors) {
  const int thread = threadIdx.x % kGroup;
  const int tokens = (int)min(end - first, (int64)kStateTokens);
  const element* v = range.v + first * range.v_stride;
#pragma unroll
  for (int i = 0; i < (kStateTokens * (kHeadDim / 8) + kGroup - 1) / kGroup; i++) {
    const int piece = i * kGroup + thread;
    const int row = piece / kHeadDim * 8 + piece % 8;
    const int column = piece / 8 % (kHeadDim / 8) * 8;
    if (row >= kStateTokens) break;
    const element* source = v + (row < tokens ? row * range.v_stride : 0) + column;
    element* target = step.values + core_place<kSumColumns>(row, column);
    if (range.v_aligned) {
      copy_async_16(target, source, row < tokens);
    } else {
      for (int e = 0; e < 8; e++) target[e] = row < tokens ? source[e] : (element)0;
    }
  }
#if NORMALIZED
  if (thread < kStateTokens) {
    *reinterpret_cast<uint4*>(step.values + core_place<kSumColumns>(thread, kHeadDim)) =
        make_uint4(factors, 0, 0, 0);
  }
#endif
}

// Brings tokens [first, end), at least one, of a chunk; `step` counts the steps of all chunks.
template <typename Terms>
__device__ __forceinline__ void bring_tokens(
    StateShared& shared, const TokenRange& range, const Terms& terms, int64 first, int64 end,
    int& step) {
  const int thread = threadIdx.x % kGroup;
  // Keys are under way for two steps, copied rather than loaded: a register that is loaded counts with
  // all others that are, and a thread that needs one waits for all. So only numbers are.
  typename Terms::Numbers numbers{};
  const auto load_numbers = [&](int64 from) {
    if (thread < kStateTokens) numbers = terms.load(min(from + thread, end - 1));
  };
  group_sync(1, kGroup);  // the keys of the last call are read
#pragma unroll
  for (int i = 0; i < kRawStages - 1; i++) {
    bring_keys(shared.keys[i], range, first + i * kStateTokens, end);
    copy_commit();
  }
  load_numbers(first);
  int raw = 0;
#pragma unroll 1
  for (int64 from = first; from < end; from += kStateTokens, step++) {
    StateStep& target = shared.steps[step % kStateStages];
    uint64& full = shared.full[step % kStateStages];
    float* step_weights = shared.weights[step % 2];
    const int64 token = from + thread;
    const bool valid = thread < kStateTokens && token < end;
    const TwoElements factors = valid ? terms.sum_factors(numbers) : 0;
    if (thread < kStateTokens) {
      step_weights[lane_order(thread)] = valid ? terms.weight(numbers, token) : 0.0f;
    }
    load_numbers(from + kStateTokens);
    copy_wait_but_latest();
    group_sync(1, kGroup);  // the weights and keys of this step are there, the last ones' read
    barrier_wait(shared.empty[step % kStateStages], step / kStateStages % 2 ^ 1);
    bring_values(target, range, from, end, factors);
    barrier_arrive_when_copied(full);
    const int behind = raw == 0 ? kRawStages - 1 : raw - 1;
    bring_keys(shared.keys[behind], range, from + (kRawStages - 1) * kStateTokens, end);
    copy_commit();
    if (range.k_aligned) {
      store_keys(target, shared.keys[raw], step_weights);
    } else {
      store_unaligned_keys(target, range, from, end, step_weights);
    }
    barrier_arrive(full);
    raw = raw == kRawStages - 1 ? 0 : raw + 1;
  }
}
