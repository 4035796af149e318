#pragma once

constexpr int kStateTokens = 32;  // tokens of a step
constexpr int kColumns = kHeadDim / 16;  // value columns of a thread

struct StateShared {
  float k[kStateTokens][kHeadDim];
  float v[kStateTokens][kHeadDim];  // weighted
  float phi[kStateTokens][kStateFeatures];
  float weights[kStateTokens];  // exp(G_last - G_j)
  Feature features[kStateFeatures];
};
static_assert(sizeof(StateShared) == kStateSharedBytes, "the launch must match");

// A thread's part of the state: four features, every 16th value column.
struct StateSlice {
  float sums[4][kColumns];
#if NORMALIZED
  float key_sums[4];
#endif
  int feature;  // the first
  int column;   // the first
};

// Calls body(value, feature, column) for every number of S that this thread holds.
template <typename Body>
__device__ __forceinline__ void for_each_sum(StateSlice& slice, Body body) {
  for (int f = 0; f < 4; f++) {
    for (int c = 0; c < kColumns; c++) {
      if (slice.feature + f < kFeatures) {
        body(slice.sums[f][c], slice.feature + f, slice.column + c * 16);
      }
    }
  }
}

__device__ __forceinline__ void read_state(
    StateSlice& slice, const float* sums, const float* key_sums) {
  for_each_sum(slice, [&](float& value, int feature, int column) {
    value = sums[(int64)feature * kHeadDim + column];
  });
#if NORMALIZED
  for (int f = 0; f < 4; f++) {
    if (slice.feature + f < kFeatures) slice.key_sums[f] = key_sums[slice.feature + f];
  }
#endif
}

__device__ __forceinline__ void write_state(StateSlice& slice, float* sums, float* key_sums) {
  for_each_sum(slice, [&](float& value, int feature, int column) {
    sums[(int64)feature * kHeadDim + column] = value;
  });
#if NORMALIZED
  for (int f = 0; f < 4; f++) {
    if (slice.feature + f < kFeatures && slice.column == 0) {
      key_sums[slice.feature + f] = slice.key_sums[f];
    }
  }
#endif
}

// A snapshot is S [kFeatures][kHeadDim], then z [kFeatures], with the multiplicities that the tiled
// symmetric power leaves out folded in.
__device__ __forceinline__ void write_snapshot(
    StateSlice& slice, const StateShared& shared, float* snapshot) {
  const Feature* features = shared.features + slice.feature % kStateFeatures;
  for_each_sum(slice, [&](float& value, int feature, int column) {
    snapshot[(int64)feature * kHeadDim + column] =
        value * features[feature - slice.feature].multiplicity;
  });
#if NORMALIZED
  for (int f = 0; f < 4; f++) {
    if (slice.feature + f < kFeatures && slice.column == 0) {
      snapshot[(int64)kFeatures * kHeadDim + slice.feature + f] =
          slice.key_sums[f] * features[f].multiplicity;
    }
  }
#endif
}

// S += phi(K)^T V and z += phi(K)^T weights over one step's tokens, summed apart first: long sums
// of small terms keep their precision.
__device__ __forceinline__ void add_tokens(StateSlice& slice, const StateShared& shared) {
  float sums[4][kColumns] = {};
#if NORMALIZED
  float key_sums[4] = {};
#endif
  for (int token = 0; token < kStateTokens; token++) {
    const float4 four =
        *reinterpret_cast<const float4*>(&shared.phi[token][slice.feature % kStateFeatures]);
    const float phi[4] = {four.x, four.y, four.z, four.w};
    for (int c = 0; c < kColumns; c++) {
      const float value = shared.v[token][slice.column + c * 16];
      for (int f = 0; f < 4; f++) sums[f][c] = fmaf(phi[f], value, sums[f][c]);
    }
#if NORMALIZED
    for (int f = 0; f < 4; f++) key_sums[f] = fmaf(phi[f], shared.weights[token], key_sums[f]);
#endif
  }
  for (int f = 0; f < 4; f++) {
    for (int c = 0; c < kColumns; c++) slice.sums[f][c] += sums[f][c];
#if NORMALIZED
    slice.key_sums[f] += key_sums[f];
#endif
  }
}

// The state at each chunk's state_start, and the final one. For each chunk:
//   snapshot = multiplicity * S;   S <- exp(G_last) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with j from the chunk's state_start to the next one's and G from there on. Where a sequence has
// several segments they are walked at the same time, each but the first from zero, and their states
// left in segment_states: join_segments adds what precedes them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads): a block keeps its
// features of S in registers and walks its segment of the sequence, 32 tokens at a step.
extern "C" __global__ __launch_bounds__(kStateThreads)
void state_pass(const __grid_constant__ Arguments args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  if (blockIdx.y >= segment_count(args, sequence)) return;
  const Segment segment = segment_of(args, sequence, blockIdx.y);
  const element* k = head_rows(args.k, args.k_strides, sequence, batch, head);
  const element* v = head_rows(args.v, args.v_strides, sequence, batch, head);
  const int64 sums_size = (int64)kFeatures * kHeadDim;

  StateSlice slice{};
  slice.feature = blockIdx.x * kStateFeatures + threadIdx.x / 16 * 4;
  slice.column = threadIdx.x % 16;
  if (threadIdx.x < kStateFeatures) {
    shared.features[threadIdx.x].locate(blockIdx.x * kStateFeatures + threadIdx.x);
  }
  if (segment.first_of_all && args.initial_sums != nullptr) {
    read_state(slice, args.initial_sums + blockIdx.z * sums_size,
               args.initial_key_sums + blockIdx.z * (int64)kFeatures);
  }
  __syncthreads();  // features are located

#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  // The tokens of the last chunk matter only to the state after it.
  const bool whole = args.final_sums != nullptr || !segment.last_of_all;
  for (int64 chunk = segment.first; chunk < segment.end; chunk++) {
    const int64 chunk_first = state_start(args, sequence, chunk);
    const int64 chunk_end = state_start(args, sequence, chunk + 1);
    if (args.snapshots != nullptr) {
      write_snapshot(slice, shared, reinterpret_cast<float*>(
          args.snapshots + chunk_place(args, sequence, head, chunk) * kSnapshotBytes));
    }
    if (chunk_first >= chunk_end || !whole && chunk == segment.end - 1) continue;
#if GATED
    const double last = gate_at(args, gate_sum, chunk, chunk_end - 1);
    const float decay = expf((float)(last - gate_before(args, gate_sum, chunk)));
    for (int f = 0; f < 4; f++) {
      for (int c = 0; c < kColumns; c++) slice.sums[f][c] *= decay;
#if NORMALIZED
      slice.key_sums[f] *= decay;
#endif
    }
#endif
    for (int64 first = chunk_first; first < chunk_end; first += kStateTokens) {
      __syncthreads();  // the last step's sums are done
      load_rows(&shared.k[0][0], kHeadDim, k, args.k_strides.token, first, chunk_end, kStateTokens,
                kStateThreads);
      load_rows(&shared.v[0][0], kHeadDim, v, args.v_strides.token, first, chunk_end, kStateTokens,
                kStateThreads);
      if (threadIdx.x < kStateTokens) {
        const int64 token = first + threadIdx.x;
#if GATED
        shared.weights[threadIdx.x] =
            token < chunk_end ? expf((float)(last - gate_at(args, gate_sum, chunk, token))) : 0.0f;
#else
        shared.weights[threadIdx.x] = token < chunk_end ? 1.0f : 0.0f;
#endif
      }
      __syncthreads();  // k, v and weights are loaded
      for (int i = threadIdx.x; i < kStateTokens * kStateFeatures; i += kStateThreads) {
        const int token = i / kStateFeatures;
        const int feature = i % kStateFeatures;
        shared.phi[token][feature] = shared.features[feature].of(shared.k[token]);
      }
#if GATED
      for (int i = threadIdx.x; i < kStateTokens * kHeadDim; i += kStateThreads) {
        shared.v[i / kHeadDim][i % kHeadDim] *= shared.weights[i / kHeadDim];
      }
#endif
      __syncthreads();  // phi and the weighted v are complete
      add_tokens(slice, shared);
    }
  }

  if (args.segments > 1) {
    float* own = args.segment_states + (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;
    write_state(slice, own, own + sums_size);
  } else if (args.final_sums != nullptr) {
    write_state(slice, args.final_sums + blockIdx.z * sums_size,
                args.final_key_sums + blockIdx.z * (int64)kFeatures);
  }
}
