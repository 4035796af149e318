#pragma once

struct StateShared {
  element k[kStateTokens][kRowStride];
  element v[2][kStateTokens][kRowStride];
  element k_transposed[kHeadDim][kKeyStride];
#if GATED
  float weights[2][kStateTokens];  // exp(G_last - G_j)
#endif
};
static_assert(sizeof(StateShared) == kStateSharedBytes, "the launch must match");

#if GATED
// v_j *= exp(G_last - G_j).
__device__ __forceinline__ void weigh_values(StateShared& shared, int stage) {
  for (int i = threadIdx.x; i < kStateTokens * (kHeadDim / 8); i += kStateThreads) {
    const int row = i / (kHeadDim / 8);
    const int column = i % (kHeadDim / 8) * 8;
    const float weight = shared.weights[stage][lane_order(row)];
    uint4* words = reinterpret_cast<uint4*>(&shared.v[stage][row][column]);
    uint4 word = *words;
    uint32* pairs = reinterpret_cast<uint32*>(&word);
    for (int e = 0; e < 4; e++) {
      pairs[e] = elements_of(float_of((element)(pairs[e] & 0xffff)) * weight,
                             float_of((element)(pairs[e] >> 16)) * weight);
    }
    *words = word;
  }
}
#endif

// The state of one key/value head, transposed, over the features of one warp: S^T = V^T phi(K).
struct StateSlice {
  float sums[kHeadDim / 16][kWarpBlocks][2][4];  // 16 value columns x (8 + 8) features
#if NORMALIZED
  float key_sums[kWarpBlocks][2];  // this lane's tokens' share of z, features g and g + 8
#endif
  FeatureBlock blocks[kWarpBlocks];
  int first_block;
};

__device__ __forceinline__ bool in_range(const StateSlice& slice, int block) {
  return slice.first_block + block < kFeatures / 16;
}

// Calls body(value, feature, column) for every number of S that this lane holds.
template <typename Body>
__device__ __forceinline__ void for_each_sum(StateSlice& slice, Body body) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int block = 0; block < kWarpBlocks; block++) {
    if (!in_range(slice, block)) continue;
#pragma unroll
    for (int m = 0; m < kHeadDim / 16; m++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          const int feature = (slice.first_block + block) * 16 + half * 8 + 2 * t + c % 2;
          body(slice.sums[m][block][half][c], feature, m * 16 + g + c / 2 * 8);
        }
      }
    }
  }
}

__device__ __forceinline__ void read_state(
    StateSlice& slice, const float* sums, const float* key_sums) {
  for_each_sum(slice, [&](float& value, int feature, int column) {
    value = sums != nullptr ? sums[(int64)feature * kHeadDim + column] : 0.0f;
  });
#if NORMALIZED
  for (int block = 0; block < kWarpBlocks; block++) {
    for (int half = 0; half < 2; half++) {
      const int feature = (slice.first_block + block) * 16 + half * 8 + threadIdx.x % 32 / 4;
      const bool mine = threadIdx.x % 4 == 0 && in_range(slice, block) && key_sums != nullptr;
      slice.key_sums[block][half] = mine ? key_sums[feature] : 0.0f;
    }
  }
#endif
}

#if NORMALIZED
// z of feature g (+ 8 half): the sum over the lanes that hold different tokens.
__device__ __forceinline__ float key_sum(const StateSlice& slice, int block, int half) {
  float sum = slice.key_sums[block][half];
  sum += __shfl_xor_sync(0xffffffff, sum, 1);
  return sum + __shfl_xor_sync(0xffffffff, sum, 2);
}
#endif

__device__ __forceinline__ void write_state(StateSlice& slice, float* sums, float* key_sums) {
  for_each_sum(slice, [&](float& value, int feature, int column) {
    sums[(int64)feature * kHeadDim + column] = value;
  });
#if NORMALIZED
  for (int block = 0; block < kWarpBlocks; block++) {
    for (int half = 0; half < 2; half++) {
      const int feature = (slice.first_block + block) * 16 + half * 8 + threadIdx.x % 32 / 4;
      const float sum = key_sum(slice, block, half);
      if (threadIdx.x % 4 == 0 && in_range(slice, block)) key_sums[feature] = sum;
    }
  }
#endif
}

// Writes this warp's part of a chunk's snapshot, with the multiplicities that the tiled symmetric
// power leaves out folded in.
__device__ __forceinline__ void write_snapshot(const StateSlice& slice, unsigned char* snapshot) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int block = 0; block < kWarpBlocks; block++) {
    const float weight = slice.blocks[block].multiplicity();
    unsigned char* target = snapshot + (int64)(slice.first_block + block) * kBlockBytes;
    if (in_range(slice, block)) {
#pragma unroll
      for (int m = 0; m < kHeadDim / 16; m++) {
        store_state(target, m, lane, slice.sums[m][block][0], slice.sums[m][block][1], weight);
      }
    }
#if NORMALIZED
    for (int half = 0; half < 2; half++) {
      const float sum = key_sum(slice, block, half) * weight;
      if (lane % 4 == 0 && in_range(slice, block)) store_key_sum(target, lane / 4, half, sum);
    }
#endif
  }
}

// S^T += V^T phi(K) over one step's tokens. V is weighted already; z is weighted here.
__device__ __forceinline__ void add_tokens(
    StateSlice& slice, const StateShared& shared, int stage) {
  const int lane = threadIdx.x % 32;
  const int g = lane / 4;
  const int t = lane % 4;
#pragma unroll 1
  for (int token = 0; token < kStateTokens; token += 16) {
    Pair values[kHeadDim / 16][4];
#pragma unroll
    for (int m = 0; m < kHeadDim / 16; m++) {
      uint32 r[4];
      load_matrices_transposed(
          r, &shared.v[stage][token + lane / 16 * 8 + lane % 8][m * 16 + lane / 8 % 2 * 8]);
      for (int i = 0; i < 4; i++) values[m][i] = pair_of(r[i]);
    }
#if NORMALIZED && GATED
    const float4 weights =
        *reinterpret_cast<const float4*>(&shared.weights[stage][token + 4 * t]);
#endif
#pragma unroll
    for (int block = 0; block < kWarpBlocks; block++) {
      Pair features[2][2];
      key_features(features, shared.k_transposed, shared.k_transposed, slice.blocks[block], token,
                   g, t);
#pragma unroll
      for (int half = 0; half < 2; half++) {
#if NORMALIZED
#if GATED
        slice.key_sums[block][half] +=
            low_of(features[half][0]) * weights.x + high_of(features[half][0]) * weights.y +
            low_of(features[half][1]) * weights.z + high_of(features[half][1]) * weights.w;
#else
        slice.key_sums[block][half] += low_of(features[half][0]) + high_of(features[half][0]) +
                                       low_of(features[half][1]) + high_of(features[half][1]);
#endif
#endif
#pragma unroll
        for (int m = 0; m < kHeadDim / 16; m++) {
          multiply_add(slice.sums[m][block][half], values[m], features[half][0], features[half][1]);
        }
      }
    }
  }
}

#if GATED
__device__ __forceinline__ void decay_state(StateSlice& slice, float decay) {
  for (int block = 0; block < kWarpBlocks; block++) {
    for (int half = 0; half < 2; half++) {
#if NORMALIZED
      slice.key_sums[block][half] *= decay;
#endif
      for (int m = 0; m < kHeadDim / 16; m++) {
        for (int c = 0; c < 4; c++) slice.sums[m][block][half][c] *= decay;
      }
    }
  }
}
#endif

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

// Starts loading the keys and values of a step, and their weights exp(G_last - G_j) in lane order.
__device__ __forceinline__ void load_tokens(
    const Arguments& args, StateShared& shared, const TokenRange& range, int64 chunk,
    int64 first, double last, int stage) {
  load_rows(shared.k, range.k, range.k_stride, first, range.end, kStateTokens, kStateThreads,
            range.k_aligned);
  load_rows(shared.v[stage], range.v, range.v_stride, first, range.end, kStateTokens, kStateThreads,
            range.v_aligned);
#if GATED
  for (int i = threadIdx.x; i < kStateTokens; i += kStateThreads) {
    const int64 token = first + i;
    shared.weights[stage][lane_order(i)] =
        token < range.end ? expf((float)(last - gate_at(args, range.gate_sum, chunk, token))) : 0.0f;
  }
#endif
}

// The state at each chunk's state_start, and the final one. For each chunk:
//   snapshot = multiplicity * S;   S <- exp(G_last) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with j from the chunk's state_start to the next one's and G from there on.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads): a block keeps its
// features of S in registers and walks its segment of the sequence, 64 tokens at a step; each warp
// has kWarpBlocks blocks of 16 features and all value columns.
extern "C" __global__ __launch_bounds__(kStateThreads, 2)
void state_pass(const __grid_constant__ Arguments args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const bool totals = args.segment_totals != 0;
  const int64 last_segment = segment_count(args, sequence) - 1;
  if (blockIdx.y > last_segment || (totals && blockIdx.y == last_segment)) return;
  const int64 first_chunk = blockIdx.y * args.chunks_per_segment;
  const int64 end_chunk = min(first_chunk + args.chunks_per_segment, sequence.chunks);
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  float* segment_state =
      args.segment_states + (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;

  StateSlice slice{};
  slice.first_block = blockIdx.x * (kStateFeatures / 16) + threadIdx.x / 32 * kWarpBlocks;
  slice.blocks[0] = FeatureBlock(min(slice.first_block, kFeatures / 16 - 1));
  for (int block = 1; block < kWarpBlocks; block++) {
    slice.blocks[block] = slice.blocks[block - 1];
    if (in_range(slice, block)) slice.blocks[block].advance();
  }
  if (!totals && args.segments > 1) {
    read_state(slice, segment_state, segment_state + sums_size);
  } else if (!totals && args.initial_sums != nullptr) {
    read_state(slice, args.initial_sums + blockIdx.z * sums_size,
               args.initial_key_sums + blockIdx.z * (int64)kFeatures);
  }

  // The tokens of the last chunk matter only to the state after it.
  const bool whole = totals || args.final_sums != nullptr || end_chunk < sequence.chunks;
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
  int stage = 0;
  for (int64 chunk = first_chunk; chunk < end_chunk; chunk++) {
    const int64 chunk_first = state_start(args, sequence, chunk);
    const int64 chunk_end = min(state_start(args, sequence, chunk + 1), range.end);
    if (!totals && args.snapshots != nullptr) {
      write_snapshot(
          slice, args.snapshots + chunk_place(args, sequence, head, chunk) * kSnapshotBytes);
    }
    if (chunk_first >= chunk_end) continue;
    double last = 0;  // G of the chunk's last token
#if GATED
    last = gate_at(args, range.gate_sum, chunk, chunk_end - 1);
    decay_state(slice, expf((float)(last - gate_before(args, range.gate_sum, chunk))));
#endif
    __syncthreads();  // the last chunk's products are done
    load_tokens(args, shared, range, chunk, chunk_first, last, stage);
    for (int64 first = chunk_first; first < chunk_end; first += kStateTokens) {
      copy_wait();
      __syncthreads();  // this step's k and v have arrived; the last step's products are done
      transpose_rows(shared.k_transposed, shared.k, kStateThreads);
#if GATED
      weigh_values(shared, stage);
#endif
      __syncthreads();  // k_transposed and the weighted v are complete; k is free
      if (first + kStateTokens < chunk_end) {
        load_tokens(args, shared, range, chunk, first + kStateTokens, last, stage ^ 1);
      }
      add_tokens(slice, shared, stage);
      stage ^= 1;
    }
  }

  if (totals) {
    write_state(slice, segment_state, segment_state + sums_size);
  } else if (args.final_sums != nullptr && blockIdx.y == last_segment) {
    write_state(slice, args.final_sums + blockIdx.z * sums_size,
                args.final_key_sums + blockIdx.z * (int64)kFeatures);
  }
}
