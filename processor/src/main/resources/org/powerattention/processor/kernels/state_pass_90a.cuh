#pragma once
// The state pass on Hopper's asynchronous products. Of a block's warpgroups, kStateGroups keep
// features of the state in registers and multiply; the last one brings steps of kStateTokens tokens:
// values as they are, and keys transposed, so that the multipliers build features from them.

constexpr int kStateMultipliers = kStateGroups * kGroup;
constexpr int kSlabBytes = 64 * kSumColumns * sizeof(element);  // of a snapshot: 64 features

struct StateStep {
  element values[kStateTokens * kSumColumns];  // core matrices; behind the values, a column of ones
  element weighted_keys[kHeadDim][kKeyStride];  // in lane order, times the tokens' weights
#if DEGREE > 1
  element keys[kHeadDim][kKeyStride];  // in lane order
#endif
};

struct StateShared {
  StateStep steps[kStateStages];
  float weights[2][kStateTokens];  // of the step being brought and of the next, in lane order
  uint64 full[kStateStages];
  uint64 empty[kStateStages];
};
static_assert(sizeof(StateShared) == kStateSharedBytes, "the launch must match");

// The state of one key/value head over the features of a warpgroup, kGroupTiles tiles of 64. A warp
// has 16 features of each; a lane features g and g + 8 and of every 8 columns the two from 2t on: of
// S, then z.
struct StateTiles {
  float sums[kGroupTiles][kSumColumns / 2];
  FeatureBlock blocks[kGroupTiles];
  int first_block;

  __device__ __forceinline__ StateTiles() : sums{} {
    const int tile = (blockIdx.x * kStateGroups + threadIdx.x / kGroup) * kGroupTiles;
    first_block = tile * 4 + threadIdx.x % kGroup / 32;
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
      blocks[i] = FeatureBlock(min(first_block + i * 4, kFeatures / 16 - 1));
    }
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
};

// Takes over a state of the caller's.
__device__ __forceinline__ void read_state(
    StateTiles& tiles, const float* sums, const float* key_sums) {
  tiles.for_each([&](float& value, int, int feature, int column) {
    value = column < kHeadDim ? sums[(int64)feature * kHeadDim + column] : key_sums[feature];
  });
}

__device__ __forceinline__ void write_state(StateTiles& tiles, float* sums, float* key_sums) {
  tiles.for_each([&](float& value, int, int feature, int column) {
    if (column < kHeadDim) {
      sums[(int64)feature * kHeadDim + column] = value;
    } else {
      key_sums[feature] = value;
    }
  });
}

// Writes this block's part of a chunk's snapshot: slabs of core matrices, with the multiplicities
// that the tiled symmetric power leaves out folded in.
__device__ __forceinline__ void write_snapshot(const StateTiles& tiles, unsigned char* snapshot) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) {
    const int block = tiles.first_block + i * 4;
    if (block >= kFeatures / 16) continue;
    const float weight = tiles.blocks[i].multiplicity();
    element* slab = reinterpret_cast<element*>(snapshot + (int64)(block / 4) * kSlabBytes);
#pragma unroll
    for (int n = 0; n < kSumColumns / 8; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const float* two = &tiles.sums[i][n * 4 + half * 2];
        const int place = core_place<kSumColumns>(block % 4 * 16 + half * 8 + g, n * 8 + 2 * t);
        *reinterpret_cast<uint32*>(slab + place) = elements_of(two[0] * weight, two[1] * weight);
      }
    }
  }
}

// S += sum over a step's tokens of weight_j phi(k_j) (v_j, 1)^T. Before the first products are awaited,
// those of the step before may be under way: `release` is called when they are done.
template <typename Release>
__device__ __forceinline__ void add_tokens(
    StateTiles& tiles, const StateStep& step, Release release) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  constexpr int products = kStateTokens / 16 * kGroupTiles;
#if DEGREE > 1
  const element(*keys)[kKeyStride] = step.keys;
#else
  const element(*keys)[kKeyStride] = step.weighted_keys;
#endif
  // Operands are built while the product before them is under way: the one before that has to be
  // done with theirs.
  Pair a[3][4];
  const auto build = [&](int i) {
    Pair features[2][2];
    key_features(features, step.weighted_keys, keys, tiles.blocks[i % kGroupTiles],
                 i / kGroupTiles * 16, g, t);
    a[i % 3][0] = features[0][0];
    a[i % 3][1] = features[1][0];
    a[i % 3][2] = features[0][1];
    a[i % 3][3] = features[1][1];
  };
  build(0);
#pragma unroll
  for (int i = 0; i < products; i++) {
    wgmma_fence();
    multiply_group<true>(
        tiles.sums[i % kGroupTiles], a[i % 3],
        summed_rows<kSumColumns>(step.values + i / kGroupTiles * 16 * kSumColumns));
    wgmma_commit();
    if (i + 1 < products) build(i + 1);
    wgmma_wait<1>();
    if (i == 1 || products == 1) release();
  }
}

// What a block needs to know of its segment of the sequence.
struct TokenRange {
  const element* k;
  const element* v;
  int64 k_stride;
  int64 v_stride;
  bool k_aligned;
  bool v_aligned;
  int64 end;
#if GATED
  const double* gate_sum;
#endif
};

// Weight of a token in the sum over its chunk, exp(G_last - G_j), or 0 behind the last token.
struct TokenWeights {
  int64 chunk_first;  // the chunk's first token
  int64 end;
#if GATED
  const double* gate_sum;
  double before;  // G of the chunk's tokens does not have this; that of the tokens before it does
  double last;
#endif

  __device__ __forceinline__ TokenWeights(
      const Arguments& args, const TokenRange& range, int64 chunk, int64 chunk_end)
      : chunk_first(chunk * args.chunk), end(range.end) {
#if GATED
    gate_sum = range.gate_sum;
    before = chunk > 0 ? gate_sum[chunk_first - 1] : 0.0;
    last = gate_at(args, gate_sum, chunk, chunk_end - 1);
#endif
  }

  __device__ __forceinline__ float of(int64 token) const {
    if (token >= end) return 0;
#if GATED
    const double gate = gate_sum[token];
    return expf((float)(last - (token < chunk_first ? gate - before : gate)));
#else
    return 1;
#endif
  }
};

// What a thread of the bringing warpgroup has of a step's keys, on their way: the four tokens that are
// neighbours in lane order, of 8 dimensions.
struct KeyPieces {
  static constexpr int kPieces = (kStateTokens / 4 * (kHeadDim / 8) + kGroup - 1) / kGroup;
  uint4 rows[kPieces][4];

  // Of tokens behind the last, the last one's are taken: their weight is zero.
  __device__ __forceinline__ void load(const TokenRange& range, int64 first) {
    if (!range.k_aligned || first >= range.end) return;
    const int last = (int)min(range.end - first, (int64)kStateTokens) - 1;
    const element* k = range.k + first * range.k_stride;
#pragma unroll
    for (int i = 0; i < kPieces; i++) {
      const int piece = i * kGroup + threadIdx.x % kGroup;
      const int token = piece % 16 / 4 * 16 + piece % 4 * 2;
      const int dimension = piece / 16 * 8 % kHeadDim;
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int row = min(token + e % 2 + e / 2 * 8, last);
        rows[i][e] = *reinterpret_cast<const uint4*>(k + row * range.k_stride + dimension);
      }
    }
  }

  __device__ __forceinline__ void store(StateStep& step, const float* weights) const {
#pragma unroll
    for (int i = 0; i < kPieces; i++) {
      const int piece = i * kGroup + threadIdx.x % kGroup;
      const int dimension = piece / 16 * 8;
      const int place = piece % 16 * 4;
      if (dimension >= kHeadDim) break;
      const float4 weight = *reinterpret_cast<const float4*>(&weights[place]);
#pragma unroll
      for (int e = 0; e < 8; e++) {
        const int take = e % 2 == 0 ? 0x5410 : 0x7632;
        uint2 four;
        four.x = __byte_perm(word(rows[i][0], e / 2), word(rows[i][1], e / 2), take);
        four.y = __byte_perm(word(rows[i][2], e / 2), word(rows[i][3], e / 2), take);
#if DEGREE > 1
        *reinterpret_cast<uint2*>(&step.keys[dimension + e][place]) = four;
#endif
        four.x = elements_of(low_of(four.x) * weight.x, high_of(four.x) * weight.y);
        four.y = elements_of(low_of(four.y) * weight.z, high_of(four.y) * weight.w);
        *reinterpret_cast<uint2*>(&step.weighted_keys[dimension + e][place]) = four;
      }
    }
  }

 private:
  static __device__ __forceinline__ uint32 word(const uint4& row, int index) {
    return index == 0 ? row.x : index == 1 ? row.y : index == 2 ? row.z : row.w;
  }
};

// The same for rows that cannot be read 16 bytes at a time.
__device__ __forceinline__ void store_unaligned_keys(
    StateStep& step, const TokenRange& range, int64 first, const float* weights) {
#pragma unroll 1
  for (int i = threadIdx.x % kGroup; i < kStateTokens * kHeadDim; i += kGroup) {
    const int place = lane_order(i / kHeadDim);
    const int dimension = i % kHeadDim;
    const int64 token = min(first + i / kHeadDim, range.end - 1);
    const element key = range.k[token * range.k_stride + dimension];
#if DEGREE > 1
    step.keys[dimension][place] = key;
#endif
    step.weighted_keys[dimension][place] = element_of(float_of(key) * weights[place]);
  }
}

// Starts copying a step's values, and writes their column of ones; of tokens behind the last there
// are zeros.
__device__ __forceinline__ void bring_values(
    StateStep& step, const TokenRange& range, int64 first) {
  const int thread = threadIdx.x % kGroup;
  const int tokens = (int)min(range.end - first, (int64)kStateTokens);
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
        make_uint4(elements_of(thread < tokens ? 1.0f : 0.0f, 0.0f), 0, 0, 0);
  }
#endif
}

// Brings a chunk's tokens [first, end); `step` counts the steps of all chunks.
__device__ __forceinline__ void bring_chunk(
    const Arguments& args, StateShared& shared, const TokenRange& range, int64 chunk, int64 first,
    int64 end, int& step) {
  const int thread = threadIdx.x % kGroup;
  const TokenWeights weights(args, range, chunk, end);
  // Weights and keys are under way while the step before is stored.
  KeyPieces keys[2];
  keys[0].load(range, first);
  float next = thread < kStateTokens ? weights.of(first + thread) : 0.0f;
#pragma unroll 1
  for (int64 two = first; two < end; two += 2 * kStateTokens) {
#pragma unroll
    for (int i = 0; i < 2; i++, step++) {
      const int64 from = two + i * kStateTokens;
      if (from >= end) break;
      StateStep& target = shared.steps[step % kStateStages];
      uint64& full = shared.full[step % kStateStages];
      keys[i ^ 1].load(range, from + kStateTokens);
      float* step_weights = shared.weights[step % 2];
      if (thread < kStateTokens) {
        step_weights[lane_order(thread)] = next;
        next = weights.of(from + kStateTokens + thread);
      }
      group_sync(1, kGroup);  // the weights are there
      barrier_wait(shared.empty[step % kStateStages], step / kStateStages % 2 ^ 1);
      bring_values(target, range, from);
      barrier_arrive_when_copied(full);
      if (range.k_aligned) {
        keys[i].store(target, step_weights);
      } else {
        store_unaligned_keys(target, range, from, step_weights);
      }
      barrier_arrive(full);
    }
  }
}

// Calls body(chunk, first, end) for the chunks of a segment, with the tokens that lie between the
// chunk's state_start and the next one's.
template <typename Body>
__device__ __forceinline__ void for_each_chunk(
    const Arguments& args, const Sequence& sequence, int64 first_chunk, int64 end_chunk, int64 end,
    Body body) {
#pragma unroll 1
  for (int64 chunk = first_chunk; chunk < end_chunk; chunk++) {
    body(chunk, state_start(args, sequence, chunk), min(state_start(args, sequence, chunk + 1), end));
  }
}

// The state at each chunk's state_start, and the final one. For each chunk:
//   snapshot = multiplicity * S;   S <- exp(G_last) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with j from the chunk's state_start to the next one's and G from there on. Where a sequence has
// several segments they are walked at the same time, each but the first from zero, and their states
// left in segment_states: join_segments adds what precedes them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads).
extern "C" __global__ __launch_bounds__(kStateThreads, 1)
void state_pass(const __grid_constant__ Arguments args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 last_segment = segment_count(args, sequence) - 1;
  if (blockIdx.y > last_segment) return;
  const int64 first_chunk = blockIdx.y * args.chunks_per_segment;
  const int64 end_chunk = min(first_chunk + args.chunks_per_segment, sequence.chunks);

  // The tokens of the last chunk matter only to the state after it.
  const bool whole = args.final_sums != nullptr || end_chunk < sequence.chunks;
  TokenRange range;
  range.k = head_rows(args.k, args.k_strides, sequence, batch, head);
  range.v = head_rows(args.v, args.v_strides, sequence, batch, head);
  range.k_stride = args.k_strides.token;
  range.v_stride = args.v_strides.token;
  range.k_aligned = is_aligned(args.k, args.k_strides);
  range.v_aligned = is_aligned(args.v, args.v_strides);
  range.end = state_start(args, sequence, whole ? end_chunk : end_chunk - 1);
#if GATED
  range.gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStateStages; stage++) {
      barrier_init(shared.full[stage], 2 * kGroup);
      barrier_init(shared.empty[stage], kStateMultipliers / 32);
    }
    barrier_init_fence();
  }
  __syncthreads();

  int step = 0;
  if (threadIdx.x >= kStateMultipliers) {
    give_registers<kStateBringerRegisters>();
    for_each_chunk(args, sequence, first_chunk, end_chunk, range.end,
                   [&](int64 chunk, int64 chunk_first, int64 chunk_end) {
      if (chunk_first < chunk_end) {
        bring_chunk(args, shared, range, chunk, chunk_first, chunk_end, step);
      }
    });
    copy_wait();
    return;
  }

  take_registers<kStateMultiplierRegisters>();
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  StateTiles tiles;
  if (blockIdx.y == 0 && args.initial_sums != nullptr) {
    read_state(tiles, args.initial_sums + blockIdx.z * sums_size,
               args.initial_key_sums + blockIdx.z * (int64)kFeatures);
  }
  for_each_chunk(args, sequence, first_chunk, end_chunk, range.end,
                 [&](int64 chunk, int64 chunk_first, int64 chunk_end) {
    if (args.snapshots != nullptr) {
      write_snapshot(
          tiles, args.snapshots + chunk_place(args, sequence, head, chunk) * kSnapshotBytes);
    }
    if (chunk_first >= chunk_end) return;
#if GATED
    const float decay = expf((float)(gate_at(args, range.gate_sum, chunk, chunk_end - 1) -
                                     gate_before(args, range.gate_sum, chunk)));
#else
    const float decay = unknown_one(args);
#endif
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) {
#pragma unroll
      for (int n = 0; n < kSumColumns / 2; n++) tiles.sums[i][n] *= decay;
    }
    const int first_step = step;
#pragma unroll 1
    for (int64 first = chunk_first; first < chunk_end; first += kStateTokens, step++) {
      const int stage = step % kStateStages;
      barrier_wait(shared.full[stage], step / kStateStages % 2);
      fence_async_reads();
      add_tokens(tiles, shared.steps[stage], [&] {
        if (step > first_step && threadIdx.x % 32 == 0) {
          barrier_arrive(shared.empty[(step - 1) % kStateStages]);
        }
      });
    }
    wgmma_wait<0>();
#pragma unroll
    for (int i = 0; i < kGroupTiles; i++) wgmma_results(tiles.sums[i]);
    if (threadIdx.x % 32 == 0) barrier_arrive(shared.empty[(step - 1) % kStateStages]);
  });

  if (args.segments > 1) {
    float* segment_state =
        args.segment_states + (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;
    write_state(tiles, segment_state, segment_state + sums_size);
  } else if (args.final_sums != nullptr) {
    write_state(tiles, args.final_sums + blockIdx.z * sums_size,
                args.final_key_sums + blockIdx.z * (int64)kFeatures);
  }
}

constexpr int kJoinThreads = 256;

// Joins the segments of a sequence. The snapshots of each but the first are of the segment alone; the
// state at its start is added here, decayed to each chunk's:
//   start_0 = 0,  start_{s+1} = decay_s start_s + own_s.
// The one behind the last segment is the final state.
// Grid (words of a snapshot / 256 rounded up, segments, batch * key_heads): a thread has a word of 8
// columns of one feature, in all snapshots of a segment. There are at most 256 segments.
extern "C" __global__ __launch_bounds__(kJoinThreads)
void join_segments(const __grid_constant__ Arguments args) {
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 segment = blockIdx.y;
  const int64 last_segment = segment_count(args, sequence) - 1;
  const bool adds = args.snapshots != nullptr && segment > 0;
  const bool whole = segment == last_segment && args.final_sums != nullptr;
  if (segment > last_segment || !adds && !whole) return;
  const int64 first_chunk = segment * args.chunks_per_segment;
  const int64 end_chunk = min(first_chunk + args.chunks_per_segment, sequence.chunks);

#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
  __shared__ double logs[kJoinThreads];   // of the decays of a run of chunks
  __shared__ float decays[kJoinThreads];  // of the segments before this one
  const auto run_from = [&](int64 first, int64 end) {
    __syncthreads();  // the last run is read
    if (first + threadIdx.x < end) {
      logs[threadIdx.x] = chunk_log_decay(args, sequence, gate_sum, first + threadIdx.x);
    }
    __syncthreads();  // this one is there
  };
  double log_decay = 0;  // of segment threadIdx.x
  for (int64 first = 0; first < first_chunk; first += kJoinThreads) {
    run_from(first, first_chunk);
    if (threadIdx.x >= segment) continue;
    const int64 begin = threadIdx.x * args.chunks_per_segment;
    const int64 end = min(begin + args.chunks_per_segment, first + kJoinThreads);
    for (int64 chunk = max(begin, first); chunk < end; chunk++) log_decay += logs[chunk - first];
  }
  decays[threadIdx.x] = expf((float)log_decay);
  __syncthreads();
#endif

  const int word = blockIdx.x * kJoinThreads + threadIdx.x;
  const int feature = word / (8 * (kSumColumns / 8)) * 8 + word % 8;
  const int column = word / 8 % (kSumColumns / 8) * 8;
  const bool valid = feature < kFeatures;
  const bool of_sums = column < kHeadDim;  // a word of S, else of z
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  const int64 number = of_sums ? (int64)feature * kHeadDim + column : feature;
  float carry[8] = {};
  // carry = decay * carry + the same numbers of a state
  const auto add = [&](const float* sums, const float* key_sums, float decay) {
    if (!valid) return;
    if (of_sums) {
      const float4* four = reinterpret_cast<const float4*>(sums + number);
      const float4 low = four[0];
      const float4 high = four[1];
      const float numbers[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
      for (int i = 0; i < 8; i++) carry[i] = fmaf(carry[i], decay, numbers[i]);
    } else {
      carry[0] = fmaf(carry[0], decay, key_sums[number]);
    }
  };
  const auto add_segment = [&](int64 index, float decay) {
    const float* own =
        args.segment_states + (blockIdx.z * args.segments + index) * kStateNumbers;
    add(own, own + sums_size, decay);
  };
#pragma unroll 4
  for (int64 before = 0; before < segment; before++) {
#if GATED
    add_segment(before, decays[before]);
#else
    add_segment(before, 1);
#endif
  }

  const float multiplicity = FeatureBlock(min(feature, kFeatures - 1) / 16).multiplicity();
  float remains = 1;  // of the state at the segment's start
#pragma unroll 1
  for (int64 first = first_chunk; first < end_chunk; first += kJoinThreads) {
#if GATED
    run_from(first, end_chunk);
#endif
    const int chunks = (int)min(end_chunk - first, (int64)kJoinThreads);
    uint4* target = reinterpret_cast<uint4*>(
        args.snapshots + chunk_place(args, sequence, head, first) * kSnapshotBytes) + word;
#pragma unroll 4
    for (int chunk = 0; chunk < chunks; chunk++, target += kSnapshotBytes / 16) {
      if (adds && valid) {
        const float factor = remains * multiplicity;
        uint4 values = *target;
        uint32* pairs = reinterpret_cast<uint32*>(&values);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          pairs[i] = elements_of(fmaf(carry[2 * i], factor, low_of(pairs[i])),
                                 fmaf(carry[2 * i + 1], factor, high_of(pairs[i])));
        }
        *target = values;
      }
#if GATED
      remains *= expf((float)logs[chunk]);
#endif
    }
  }
  if (!whole || !valid) return;
  add_segment(segment, remains);
  if (of_sums) {
#pragma unroll
    for (int i = 0; i < 8; i++) args.final_sums[blockIdx.z * sums_size + number + i] = carry[i];
  } else {
    args.final_key_sums[blockIdx.z * (int64)kFeatures + number] = carry[0];
  }
}
