#pragma once

// Takes over the gradient of the caller's final state, which has multiplicities folded in: the tiles
// leave them out.
__device__ __forceinline__ void read_gradient(
    StateTiles& tiles, const float* sums, const float* key_sums) {
  tiles.for_each([&](float& value, int, int feature, int column) {
    value = column < kHeadDim ? sums[(int64)feature * kHeadDim + column] : key_sums[feature];
    value /= FeatureBlock(feature / 16).multiplicity();
  });
}

// Writes this block's part of a snapshot: dS in slabs, dz [kFeatures] in fp32, with the multiplicities
// that the tiled symmetric power leaves out folded in.
__device__ __forceinline__ void write_snapshot(const StateTiles& tiles, unsigned char* snapshot) {
  const int first_block = StateTiles::first_block();
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) {
    const int block = first_block + i * 4;
    if (block >= kFeatures / 16) continue;
    const float multiplicity = block_of_tile(first_block, i).multiplicity();
    element* slab = reinterpret_cast<element*>(snapshot) + block / 4 * kGradientSlab;
    element* own = slab + slab_place(block % 4 * 16 + g, 2 * t);
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const float* two = &tiles.sums[i][n * 4 + half * 2];
        *reinterpret_cast<uint32*>(own + slab_place(half * 8, n * 8)) =
            elements_of(two[0] * multiplicity, two[1] * multiplicity);
      }
    }
#if NORMALIZED
    float* key_sums = reinterpret_cast<float*>(snapshot + kGradientSums) + block * 16 + g;
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

// Brings the queries of a chunk that one of the heads has, and their dy.
__device__ __forceinline__ void bring_queries(
    const Arguments& args, const Sequence& sequence, StateShared& shared, int64 batch, int64 head,
    int64 query_head, int64 chunk, int64 first, int64 end, StepPlace& place) {
  TokenRange range;
  range.k = head_rows(args.q, args.q_strides, sequence, batch, query_head);
  range.v = head_rows(args.dy, args.dy_strides, sequence, batch, query_head);
  range.k_stride = args.q_strides.token;
  range.v_stride = args.dy_strides.token;
  range.k_aligned = is_aligned(args.q, args.q_strides);
  range.v_aligned = is_aligned(args.dy, args.dy_strides);
  const QueryWeights weights(args, sequence, head, query_head, chunk);
  bring_tokens(shared, range, weights, first, end, place);
}

// Calls body(chunk, first, end, taken) for the chunks of a segment, from the last one on; queries
// [first, end) are taken in behind the chunk's snapshot, if `taken`: those of the first chunk matter
// only to what precedes the segment, if that is `wanted`.
template <typename Body>
__device__ __forceinline__ void for_each_chunk(
    const Arguments& args, const Sequence& sequence, const Segment& segment, bool wanted, Body body) {
#pragma unroll 1
  for (int64 chunk = segment.end - 1; chunk >= segment.first; chunk--) {
    // The first rows' share of the gradient of the initial state is joint_gradient's.
    const int64 first = chunk == 0 ? kOverlap : chunk * args.chunk;
    const int64 end = min((chunk + 1) * args.chunk, sequence.tokens);
    body(chunk, first, end, wanted || chunk > segment.first);
  }
}

// The gradient dS of the state at each chunk's state_start, without multiplicities, from the end:
//   dS <- exp(G_last) dS + sum_i exp(G_i) phi(q_i) u_i^T,  u_i = r_i (dy_i, -<dy_i, y_i>)
// over the chunk's queries, of all query heads that read the key/value head. What is kept for a
// chunk is dS at the *next* one's state_start, which the chunk's keys need. Segments of a sequence are
// walked at the same time, each but the last from zero, and their own gradients left in
// segment_gradients; join_gradients adds what follows them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads).
extern "C" __global__ __launch_bounds__(kStateThreads, 1)
void state_gradient_walk(const __grid_constant__ Arguments args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const int heads = (int)(args.query_heads / args.key_heads);
  const Sequence sequence = sequence_of(args, batch);
  if (blockIdx.y >= segment_count(args, sequence)) return;
  const Segment segment = segment_of(args, sequence, blockIdx.y);
  const bool whole = !segment.first_of_all || args.initial_gradient != nullptr;
  if (threadIdx.x == 0) shared.start();
  __syncthreads();

  StepPlace place;
  if (threadIdx.x >= kStateMultipliers) {
    give_registers<kStateBringerRegisters>();
    for_each_chunk(args, sequence, segment, whole,
                   [&](int64 chunk, int64 first, int64 end, bool taken) {
      if (!taken || first >= end) return;
#pragma unroll 1
      for (int member = 0; member < heads; member++) {
        bring_queries(args, sequence, shared, batch, head, head * heads + member, chunk, first, end,
                      place);
      }
    });
    copy_wait();
    return;
  }

  take_registers<kStateMultiplierRegisters>();
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  StateTiles tiles;
  if (segment.last_of_all && args.final_gradient != nullptr) {
    read_gradient(tiles, args.final_gradient + blockIdx.z * sums_size,
                  args.final_key_gradient + blockIdx.z * (int64)kFeatures);
  }
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  for_each_chunk(args, sequence, segment, whole,
                   [&](int64 chunk, int64 first, int64 end, bool taken) {
    write_snapshot(
        tiles, args.state_gradients + chunk_place(args, sequence, head, chunk) * kSnapshotBytes);
    if (!taken) return;
#if GATED
    tiles.decay(expf((float)chunk_log_decay(args, sequence, gate_sum, chunk)));
#else
    tiles.decay(unknown_one(args));
#endif
    if (first >= end) return;
    add_steps(tiles, shared, step_count(first, end) * heads, place);
#if NORMALIZED
    add_parts_of_key_sums(tiles);
#endif
  });
  if (whole) {
    float* own =
        args.segment_gradients + (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;
    write_state(tiles, own, own + sums_size);
  }
}
