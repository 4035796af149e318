#pragma once

struct WalkShared {
  element x[kStateTokens][kRowStride];       // keys, or queries
  element values[kStateTokens][kRowStride];  // values, or dy
  stored weighted[kStateTokens][kRowStride];
  element x_transposed[kHeadDim][kKeyStride];  // in lane order
  float value_weights[2][kStateTokens];        // in lane order
#if NORMALIZED
  float sum_weights[2][kStateTokens];
#endif
};
static_assert(sizeof(WalkShared) == kStateSharedBytes, "the launch must match");

// weighted = values times their tokens' weights.
__device__ __forceinline__ void weigh_values(WalkShared& shared, int stage) {
  for (int i = threadIdx.x; i < kStateTokens * (kHeadDim / 2); i += kStateThreads) {
    const int row = i / (kHeadDim / 2);
    const int column = i % (kHeadDim / 2) * 2;
    const float weight = shared.value_weights[stage][lane_order(row)];
    const element* two = &shared.values[row][column];
    shared.weighted[row][column] = stored_of(float_of(two[0]) * weight);
    shared.weighted[row][column + 1] = stored_of(float_of(two[1]) * weight);
  }
}

// A state of one key/value head, or the gradient of one, transposed, over the features of one warp:
// value columns by features.
struct StateSlice {
  float sums[kHeadDim / 16][kWarpBlocks][2][4];  // 16 value columns x (8 + 8) features
#if NORMALIZED
  float key_sums[kWarpBlocks][2];  // this lane's tokens' share of z, features g and g + 8
#endif
  FeatureBlock blocks[kWarpBlocks];
  int first_block;

  __device__ __forceinline__ StateSlice() {
    first_block = blockIdx.x * (kStateFeatures / 16) + threadIdx.x / 32 * kWarpBlocks;
    blocks[0] = FeatureBlock(min(first_block, kFeatures / 16 - 1));
    for (int block = 1; block < kWarpBlocks; block++) {
      blocks[block] = blocks[block - 1];
      if (in_range(block)) blocks[block].advance();
    }
    for_each([](float& value, int, int, int) { value = 0; });
#if NORMALIZED
    for (int i = 0; i < kWarpBlocks * 2; i++) key_sums[i / 2][i % 2] = 0;
#endif
  }

  __device__ __forceinline__ bool in_range(int block) const {
    return first_block + block < kFeatures / 16;
  }

  // Calls body(value, block, feature, column) for every number of S that this lane holds; those
  // past the last feature have a feature of at least kFeatures.
  template <typename Body>
  __device__ __forceinline__ void for_each(Body body) {
    const int g = threadIdx.x % 32 / 4;
    const int t = threadIdx.x % 4;
#pragma unroll
    for (int block = 0; block < kWarpBlocks; block++) {
#pragma unroll
      for (int m = 0; m < kHeadDim / 16; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
#pragma unroll
          for (int c = 0; c < 4; c++) {
            const int feature = (first_block + block) * 16 + half * 8 + 2 * t + c % 2;
            body(sums[m][block][half][c], block, feature, m * 16 + g + c / 2 * 8);
          }
        }
      }
    }
  }
};

#if NORMALIZED
// Calls body(z, block, feature) once for every feature, in one lane, with z summed over the lanes
// that hold different tokens.
template <typename Body>
__device__ __forceinline__ void for_each_key_sum(StateSlice& slice, Body body) {
  for (int block = 0; block < kWarpBlocks; block++) {
    for (int half = 0; half < 2; half++) {
      const int feature = (slice.first_block + block) * 16 + half * 8 + threadIdx.x % 32 / 4;
      const float sum = row_sum(slice.key_sums[block][half]);
      if (threadIdx.x % 4 == 0 && feature < kFeatures) body(sum, block, feature);
    }
  }
}
#endif

// Takes over a state of the caller's. Its gradient has multiplicities folded in, which the slice
// leaves out.
template <bool kGradient>
__device__ __forceinline__ void read_state(
    StateSlice& slice, const float* sums, const float* key_sums) {
  slice.for_each([&](float& value, int block, int feature, int column) {
    if (feature >= kFeatures) return;
    value = sums[(int64)feature * kHeadDim + column];
    if (kGradient) value /= slice.blocks[block].multiplicity();
  });
#if NORMALIZED
  for (int block = 0; block < kWarpBlocks; block++) {
    for (int half = 0; half < 2; half++) {
      const int feature = (slice.first_block + block) * 16 + half * 8 + threadIdx.x % 32 / 4;
      if (threadIdx.x % 4 != 0 || feature >= kFeatures) continue;
      const float divisor = kGradient ? slice.blocks[block].multiplicity() : 1.0f;
      slice.key_sums[block][half] = key_sums[feature] / divisor;
    }
  }
#endif
}

// Writes this block's part of a snapshot: S as operands, z [kFeatures] in fp32, with the
// multiplicities that the tiled symmetric power leaves out folded in.
__device__ __forceinline__ void write_snapshot(StateSlice& slice, unsigned char* snapshot) {
  stored* sums = reinterpret_cast<stored*>(snapshot);
  slice.for_each([&](float& value, int block, int feature, int column) {
    if (feature >= kFeatures) return;
    sums[(int64)feature * kHeadDim + column] =
        stored_of(value * slice.blocks[block].multiplicity());
  });
#if NORMALIZED
  float* key_sums = reinterpret_cast<float*>(snapshot + kSnapshotSums);
  for_each_key_sum(slice, [&](float sum, int block, int feature) {
    key_sums[feature] = sum * slice.blocks[block].multiplicity();
  });
#endif
}

// Writes this block's part of a segment's own state, as it is: S, then z.
__device__ __forceinline__ void write_segment(StateSlice& slice, float* sums) {
  slice.for_each([&](float& value, int, int feature, int column) {
    if (feature < kFeatures) sums[(int64)feature * kHeadDim + column] = value;
  });
#if NORMALIZED
  float* key_sums = sums + (int64)kFeatures * kHeadDim;
  for_each_key_sum(slice, [&](float sum, int, int feature) { key_sums[feature] = sum; });
#endif
}

__device__ __forceinline__ void decay_slice(StateSlice& slice, float decay) {
  slice.for_each([&](float& value, int, int, int) { value *= decay; });
#if NORMALIZED
  for (int i = 0; i < kWarpBlocks * 2; i++) slice.key_sums[i / 2][i % 2] *= decay;
#endif
}

// S^T += values^T phi(X) over one step's tokens, and z likewise.
__device__ __forceinline__ void add_tokens(
    StateSlice& slice, const WalkShared& shared, int stage) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll 1
  for (int token = 0; token < kStateTokens; token += 16) {
    Pair values[kHeadDim / 16][4];
#pragma unroll
    for (int m = 0; m < kHeadDim / 16; m++) {
      load_pairs_a_transposed(values[m], shared.weighted, token, m * 16);
    }
#if NORMALIZED
    const float4 weights =
        *reinterpret_cast<const float4*>(&shared.sum_weights[stage][token + 4 * t]);
#endif
#pragma unroll
    for (int block = 0; block < kWarpBlocks; block++) {
      Pair features[2][2];
      key_features(features, shared.x_transposed, shared.x_transposed, slice.blocks[block], token,
                   g, t);
#pragma unroll
      for (int half = 0; half < 2; half++) {
#if NORMALIZED
        slice.key_sums[block][half] +=
            low_of(features[half][0]) * weights.x + high_of(features[half][0]) * weights.y +
            low_of(features[half][1]) * weights.z + high_of(features[half][1]) * weights.w;
#endif
#pragma unroll
        for (int m = 0; m < kHeadDim / 16; m++) {
          multiply_add(slice.sums[m][block][half], values[m], features[half][0], features[half][1]);
        }
      }
    }
  }
}

// Tokens that a walk takes in.
struct WalkTokens {
  const element* x;
  const element* values;
  int64 x_stride;
  int64 values_stride;
  bool x_aligned;
  bool values_aligned;
};

// Adds tokens [first, end). weight(token) gives a token's weights, of its values and in z.
template <typename Weight>
__device__ __forceinline__ void add_range(
    StateSlice& slice, WalkShared& shared, const WalkTokens& tokens, int64 first, int64 end,
    Weight weight) {
  int stage = 0;
  const auto load = [&](int64 from) {
    load_rows(shared.x, tokens.x, tokens.x_stride, from, end, kStateTokens, kStateThreads,
              tokens.x_aligned);
    load_rows(shared.values, tokens.values, tokens.values_stride, from, end, kStateTokens,
              kStateThreads, tokens.values_aligned);
    copy_commit();
    for (int i = threadIdx.x; i < kStateTokens; i += kStateThreads) {
      const float2 weights = from + i < end ? weight(from + i) : make_float2(0, 0);
      shared.value_weights[stage][lane_order(i)] = weights.x;
#if NORMALIZED
      shared.sum_weights[stage][lane_order(i)] = weights.y;
#endif
    }
  };
  if (first < end) load(first);
  for (int64 from = first; from < end; from += kStateTokens) {
    copy_wait();
    __syncthreads();  // x and values have arrived; the last step's products are done
    transpose_rows(shared.x_transposed, shared.x, kStateThreads);
    weigh_values(shared, stage);
    __syncthreads();  // x_transposed and weighted are complete; x and values are free
    const int current = stage;
    stage ^= 1;
    if (from + kStateTokens < end) load(from + kStateTokens);
    add_tokens(slice, shared, current);
  }
  __syncthreads();  // the weights are read
}

// The state S at each chunk's state_start, over the tokens from one to the next:
//   S <- exp(G_last) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with G from the former on. Segments of a sequence are walked at the same time, each but the first
// from zero; join_states adds what precedes them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads): a block keeps its
// features of S in registers; each warp has kWarpBlocks blocks of 16 and all value columns.
extern "C" __global__ __launch_bounds__(kStateThreads)
void state_walk(const __grid_constant__ Arguments args) {
  WalkShared& shared = *reinterpret_cast<WalkShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  if (blockIdx.y >= segment_count(args, sequence)) return;
  const Segment segment = segment_of(args, sequence, blockIdx.y);
  StateSlice slice;
  if (segment.first_of_all && args.initial_sums != nullptr) {
    read_state<false>(slice, args.initial_sums + blockIdx.z * (int64)kFeatures * kHeadDim,
                      args.initial_key_sums + blockIdx.z * (int64)kFeatures);
  }
  WalkTokens tokens;
  tokens.x = head_rows(args.k, args.k_strides, sequence, batch, head);
  tokens.values = head_rows(args.v, args.v_strides, sequence, batch, head);
  tokens.x_stride = args.k_strides.token;
  tokens.values_stride = args.v_strides.token;
  tokens.x_aligned = is_aligned(args.k, args.k_strides);
  tokens.values_aligned = is_aligned(args.v, args.v_strides);
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  for (int64 chunk = segment.first; chunk < segment.end; chunk++) {
    write_snapshot(slice, args.states + chunk_place(args, sequence, head, chunk) * kSnapshotBytes);
    const int64 first = state_start(args, sequence, chunk);
    const int64 end = state_start(args, sequence, chunk + 1);
    if (chunk == sequence.chunks - 1 || first == end) continue;
#if GATED
    const double last = gate_at(args, gate_sum, chunk, end - 1);
    decay_slice(slice, expf((float)(last - gate_before(args, gate_sum, chunk))));
    add_range(slice, shared, tokens, first, end, [&](int64 token) {
      const float weight = expf((float)(last - gate_at(args, gate_sum, chunk, token)));
      return make_float2(weight, weight);
    });
#else
    add_range(slice, shared, tokens, first, end, [](int64) { return make_float2(1, 1); });
#endif
  }
  if (!segment.last_of_all) {
    write_segment(slice, args.segment_states +
                             (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers);
  }
}

// The gradient dS of the state at each chunk's state_start, without multiplicities, from the end:
//   dS <- exp(G_last) dS + sum_i exp(G_i) phi(q_i) u_i^T,  u_i = r_i (dy_i, -<dy_i, y_i>)
// over the chunk's queries, of all query heads that read the key/value head. What is kept for a
// chunk is dS at the *next* one's state_start, which the chunk's keys need. Segments begin at zero,
// but for the last; join_gradients adds what follows them. Same grid.
extern "C" __global__ __launch_bounds__(kStateThreads)
void state_gradient_walk(const __grid_constant__ Arguments args) {
  WalkShared& shared = *reinterpret_cast<WalkShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const int64 group = args.query_heads / args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  if (blockIdx.y >= segment_count(args, sequence)) return;
  const Segment segment = segment_of(args, sequence, blockIdx.y);
  const bool whole = !segment.first_of_all || args.initial_gradient != nullptr;
  StateSlice slice;
  if (segment.last_of_all && args.final_gradient != nullptr) {
    read_state<true>(slice, args.final_gradient + blockIdx.z * (int64)kFeatures * kHeadDim,
                     args.final_key_gradient + blockIdx.z * (int64)kFeatures);
  }
  WalkTokens tokens;
  tokens.x_stride = args.q_strides.token;
  tokens.values_stride = args.dy_strides.token;
  tokens.x_aligned = is_aligned(args.q, args.q_strides);
  tokens.values_aligned = is_aligned(args.dy, args.dy_strides);
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  for (int64 chunk = segment.end - 1; chunk >= segment.first; chunk--) {
    write_snapshot(
        slice, args.state_gradients + chunk_place(args, sequence, head, chunk) * kSnapshotBytes);
    if (chunk == segment.first && !whole) break;
#if GATED
    decay_slice(slice, expf((float)chunk_log_decay(args, sequence, gate_sum, chunk)));
#endif
    // The first rows' share of the gradient of the initial state is joint_gradient's.
    const int64 first = chunk == 0 ? kOverlap : chunk * args.chunk;
    const int64 end = min((chunk + 1) * args.chunk, sequence.tokens);
    for (int64 query_head = head * group; query_head < (head + 1) * group; query_head++) {
      tokens.x = head_rows(args.q, args.q_strides, sequence, batch, query_head);
      tokens.values = head_rows(args.dy, args.dy_strides, sequence, batch, query_head);
#if NORMALIZED
      const int64 rows = query_head * args.all_tokens + sequence.rows;
#endif
      add_range(slice, shared, tokens, first, end, [&](int64 token) {
        float weight = 1;
#if GATED
        weight = expf((float)(gate_sum[token] - gate_before(args, gate_sum, chunk)));
#endif
#if NORMALIZED
        weight *= args.row_scales[rows + token];
        return make_float2(weight, -weight * args.row_deltas[rows + token]);
#else
        return make_float2(weight * (float)args.output_scale, 0);
#endif
      });
    }
  }
  if (whole) {
    write_segment(slice, args.segment_gradients +
                             (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers);
  }
}
