#pragma once

// Takes over a state of the caller's. Its gradient has multiplicities folded in, which the tiles
// leave out.
template <bool kGradient>
__device__ __forceinline__ void read_state(
    StateTiles& tiles, const float* sums, const float* key_sums) {
  tiles.for_each([&](float& value, int tile, int feature, int column) {
    value = column < kHeadDim ? sums[(int64)feature * kHeadDim + column] : key_sums[feature];
    if (kGradient) value /= tiles.multiplicity(tile);
  });
}

// Writes this block's part of a snapshot: S as an image, z [kFeatures] in fp32, with the
// multiplicities that the tiled symmetric power leaves out folded in.
__device__ __forceinline__ void write_snapshot(const StateTiles& tiles, unsigned char* snapshot) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  element* image = reinterpret_cast<element*>(snapshot);
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) {
    const int block = tiles.first_block + i * 4;
    if (block >= kFeatures / 16) continue;
    const float multiplicity = tiles.multiplicity(i);
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const float* two = &tiles.sums[i][n * 4 + half * 2];
        const int place = core_place<kHeadDim>(block * 16 + half * 8 + g, n * 8 + 2 * t);
        *reinterpret_cast<uint32*>(image + place) =
            elements_of(two[0] * multiplicity, two[1] * multiplicity);
      }
    }
#if NORMALIZED
    float* key_sums = reinterpret_cast<float*>(snapshot + kSnapshotSums) + block * 16 + g;
    if (t == 0) {
      key_sums[0] = tiles.sums[i][kHeadDim / 2] * multiplicity;
      key_sums[8] = tiles.sums[i][kHeadDim / 2 + 2] * multiplicity;
    }
#endif
  }
}

#if NORMALIZED
// z is the sum of two columns, of the high and the low parts of what multiplies features.
__device__ __forceinline__ void add_parts_of_key_sums(StateTiles& tiles) {
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float* two = &tiles.sums[i][kHeadDim / 2 + half * 2];
      two[0] += two[1];
      two[1] = 0;
    }
  }
}
#endif

// Of queries, in a sum over their chunk's tokens.
struct QueryWeights {
#if GATED
  const double* gate_sum;
  double before;  // G just before the chunk's state_start
#endif
#if NORMALIZED
  const float* scales;  // r_i
  const float* deltas;  // <dy_i, y_i>
#else
  float scale;
#endif

  struct Numbers {
    double gate;
    float scale;
    float delta;
  };

  __device__ __forceinline__ QueryWeights(
      const Arguments& args, const Sequence& sequence, int64 head, int64 query_head, int64 chunk) {
#if GATED
    gate_sum = args.gate_sum + token_place(args, sequence, head);
    before = gate_before(args, gate_sum, chunk);
#endif
#if NORMALIZED
    scales = args.row_scales + token_place(args, sequence, query_head);
    deltas = args.row_deltas + token_place(args, sequence, query_head);
#else
    scale = (float)args.output_scale;
#endif
  }

  __device__ __forceinline__ Numbers load(int64 token) const {
    Numbers numbers{};
#if GATED
    numbers.gate = gate_sum[token];
#endif
#if NORMALIZED
    numbers.scale = scales[token];
    numbers.delta = deltas[token];
#else
    numbers.scale = scale;
#endif
    return numbers;
  }

  // exp(G_i) r_i
  __device__ __forceinline__ float weight(const Numbers& numbers, int64) const {
#if GATED
    return expf((float)(numbers.gate - before)) * numbers.scale;
#else
    return numbers.scale;
#endif
  }

  // -<dy_i, y_i>, in two parts.
  __device__ __forceinline__ TwoElements sum_factors(const Numbers& numbers) const {
    const float high = float_of(element_of(-numbers.delta));
    return elements_of(high, -numbers.delta - high);
  }
};

// A walk along a segment of a sequence, of state_walk or of state_gradient_walk.
template <bool kGradient>
struct Walk {
  const Arguments& args;
  const Sequence& sequence;
  Segment segment;
  int64 batch;
  int64 head;
  int heads;   // whose tokens a chunk's sum has
  bool whole;  // whether the last chunk's tokens, in the order of the walk, matter to another segment

  __device__ __forceinline__ Walk(const Arguments& args, const Sequence& sequence)
      : args(args),
        sequence(sequence),
        segment(segment_of(args, sequence, blockIdx.y)),
        batch(blockIdx.z / args.key_heads),
        head(blockIdx.z % args.key_heads),
        heads(kGradient ? (int)(args.query_heads / args.key_heads) : 1),
        whole(kGradient ? !segment.first_of_all || args.initial_gradient != nullptr
                        : !segment.last_of_all) {}

  // Calls body(chunk, first, end, taken) for all chunks; tokens [first, end) are taken in behind the
  // chunk's snapshot, if `taken`.
  template <typename Body>
  __device__ __forceinline__ void for_each_chunk(Body body) const {
#pragma unroll 1
    for (int64 i = segment.first; i < segment.end; i++) {
      const int64 chunk = kGradient ? segment.first + segment.end - 1 - i : i;
      int64 first = state_start(args, sequence, chunk);
      int64 end = state_start(args, sequence, chunk + 1);
      if (kGradient) {
        // The first rows' share of the gradient of the initial state is joint_gradient's.
        first = chunk == 0 ? kOverlap : chunk * args.chunk;
        end = min((chunk + 1) * args.chunk, sequence.tokens);
      }
      body(chunk, first, end, whole || i + 1 < segment.end);
    }
  }

  // Brings the tokens of one of the heads.
  __device__ __forceinline__ void bring(
      StateShared& shared, int64 chunk, int64 first, int64 end, int member, StepPlace& place) const {
    TokenRange range;
    if (kGradient) {
      const int64 query_head = head * heads + member;
      range.k = head_rows(args.q, args.q_strides, sequence, batch, query_head);
      range.v = head_rows(args.dy, args.dy_strides, sequence, batch, query_head);
      range.k_stride = args.q_strides.token;
      range.v_stride = args.dy_strides.token;
      range.k_aligned = is_aligned(args.q, args.q_strides);
      range.v_aligned = is_aligned(args.dy, args.dy_strides);
      const QueryWeights terms(args, sequence, head, query_head, chunk);
      bring_tokens(shared, range, terms, first, end, place);
    } else {
      range.k = head_rows(args.k, args.k_strides, sequence, batch, head);
      range.v = head_rows(args.v, args.v_strides, sequence, batch, head);
      range.k_stride = args.k_strides.token;
      range.v_stride = args.v_strides.token;
      range.k_aligned = is_aligned(args.k, args.k_strides);
      range.v_aligned = is_aligned(args.v, args.v_strides);
      const KeyTerms terms(args, sequence, head, chunk, end);
      bring_tokens(shared, range, terms, first, end, place);
    }
  }
};

// A snapshot for each chunk of a segment, and where `whole`, the segment's own state behind the last
// one.
template <bool kGradient>
__device__ __forceinline__ void walk_segment(const Arguments& args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const Sequence sequence = sequence_of(args, blockIdx.z / args.key_heads);
  if (blockIdx.y >= segment_count(args, sequence)) return;
  const Walk<kGradient> walk(args, sequence);
  if (threadIdx.x == 0) shared.start();
  __syncthreads();

  StepPlace place;
  if (threadIdx.x >= kStateMultipliers) {
    give_registers<kStateBringerRegisters>();
    walk.for_each_chunk([&](int64 chunk, int64 first, int64 end, bool taken) {
      if (!taken || first >= end) return;
#pragma unroll 1
      for (int member = 0; member < walk.heads; member++) {
        walk.bring(shared, chunk, first, end, member, place);
      }
    });
    copy_wait();
    return;
  }

  take_registers<kStateMultiplierRegisters>();
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  const bool begins = kGradient ? walk.segment.last_of_all : walk.segment.first_of_all;
  const float* sums = kGradient ? args.final_gradient : args.initial_sums;
  const float* key_sums = kGradient ? args.final_key_gradient : args.initial_key_sums;
  StateTiles tiles;
  if (begins && sums != nullptr) {
    read_state<kGradient>(
        tiles, sums + blockIdx.z * sums_size, key_sums + blockIdx.z * (int64)kFeatures);
  }
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, walk.head);
#endif
  unsigned char* snapshots = kGradient ? args.state_gradients : args.states;
  walk.for_each_chunk([&](int64 chunk, int64 first, int64 end, bool taken) {
    write_snapshot(
        tiles, snapshots + chunk_place(args, sequence, walk.head, chunk) * kSnapshotBytes);
    if (!taken) return;
#if GATED
    tiles.decay(expf((float)chunk_log_decay(args, sequence, gate_sum, chunk)));
#else
    tiles.decay(unknown_one(args));
#endif
    if (first >= end) return;
    add_steps(tiles, shared, step_count(first, end) * walk.heads, place);
#if NORMALIZED
    add_parts_of_key_sums(tiles);
#endif
  });
  if (walk.whole) {
    float* own = (kGradient ? args.segment_gradients : args.segment_states) +
                 (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;
    write_state(tiles, own, own + sums_size);
  }
}

// The state S at each chunk's state_start, over the tokens from one to the next:
//   S <- exp(G_last) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with G from the former on. Segments of a sequence are walked at the same time, each but the first
// from zero; join_states adds what precedes them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads).
extern "C" __global__ __launch_bounds__(kStateThreads, 1)
void state_walk(const __grid_constant__ Arguments args) {
  walk_segment<false>(args);
}

// The gradient dS of the state at each chunk's state_start, without multiplicities, from the end:
//   dS <- exp(G_last) dS + sum_i exp(G_i) phi(q_i) u_i^T,  u_i = r_i (dy_i, -<dy_i, y_i>)
// over the chunk's queries, of all query heads that read the key/value head. What is kept for a
// chunk is dS at the *next* one's state_start, which the chunk's keys need. Segments begin at zero,
// but for the last; join_gradients adds what follows them. Same grid.
extern "C" __global__ __launch_bounds__(kStateThreads, 1)
void state_gradient_walk(const __grid_constant__ Arguments args) {
  walk_segment<true>(args);
}
