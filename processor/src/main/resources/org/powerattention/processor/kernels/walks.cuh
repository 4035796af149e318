#pragma once
// Walks along a sequence by mma.sync. A block keeps features of a state in registers, or of the
// gradient of one, and takes in kStateTokens tokens at a step: keys with values, or queries with dy.

// Value is the type of weighted values.
template <typename Value>
struct WalkShared {
  element x[kStateTokens][kRowStride];         // keys, or queries
  element values[kStateTokens][kRowStride];    // values, or dy
  Value weighted[kStateTokens][kRowStride];    // values times their tokens' weights
  element x_transposed[kHeadDim][kKeyStride];  // in lane order
  float weights[2][kStateTokens];              // of values, in lane order
#if NORMALIZED
  float sum_weights[2][kStateTokens];          // of features in z, in lane order
#endif
};

// weighted = values times their tokens' weights.
template <typename Value>
__device__ __forceinline__ void weigh_values(WalkShared<Value>& shared, int stage) {
  for (int i = threadIdx.x; i < kStateTokens * (kHeadDim / kPiece); i += kStateThreads) {
    const int row = i / (kHeadDim / kPiece);
    const int column = i % (kHeadDim / kPiece) * kPiece;
    const float weight = shared.weights[stage][lane_order(row)];
    const element* values = &shared.values[row][column];
    Value* target = &shared.weighted[row][column];
#if !FP32
    if constexpr (sizeof(Value) == sizeof(element)) {
      uint4 word = *reinterpret_cast<const uint4*>(values);
      uint32* pairs = reinterpret_cast<uint32*>(&word);
      for (int e = 0; e < 4; e++) {
        pairs[e] = elements_of(float_of((element)(pairs[e] & 0xffff)) * weight,
                               float_of((element)(pairs[e] >> 16)) * weight);
      }
      *reinterpret_cast<uint4*>(target) = word;
    } else
#endif
    {
      for (int e = 0; e < kPiece; e++) target[e] = stored_of(float_of(values[e]) * weight);
    }
  }
}

// A state of one key/value head, or the gradient of one, over the features of a warp: kWarpBlocks
// blocks of 16. A lane holds features g and g + 8 of each, and of every 8 columns the two from 2t on.
struct StateSlice {
  float sums[kWarpBlocks][kHeadDim / 8][4];
#if NORMALIZED
  float key_sums[kWarpBlocks][4];  // z as the sum of two columns, of the lanes with t = 0
#endif
  FeatureBlock blocks[kWarpBlocks];
  int first_block;

  __device__ __forceinline__ StateSlice() : sums{} {
#if NORMALIZED
    for (int i = 0; i < kWarpBlocks * 4; i++) key_sums[i / 4][i % 4] = 0;
#endif
    first_block = blockIdx.x * (kStateFeatures / 16) + threadIdx.x / 32 * kWarpBlocks;
    blocks[0] = FeatureBlock(min(first_block, kFeatures / 16 - 1));
    for (int block = 1; block < kWarpBlocks; block++) {
      blocks[block] = blocks[block - 1];
      if (in_range(block)) blocks[block].advance();
    }
  }

  __device__ __forceinline__ bool in_range(int block) const {
    return first_block + block < kFeatures / 16;
  }

  // Calls body(value, block, feature, column) for every number that this lane holds; column kHeadDim
  // is that of z.
  template <typename Body>
  __device__ __forceinline__ void for_each(Body body) {
    const int g = threadIdx.x % 32 / 4;
    const int t = threadIdx.x % 4;
#pragma unroll
    for (int block = 0; block < kWarpBlocks; block++) {
      if (!in_range(block)) continue;
      const int feature = (first_block + block) * 16 + g;
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          body(sums[block][n][c], block, feature + c / 2 * 8, n * 8 + 2 * t + c % 2);
        }
      }
#if NORMALIZED
      if (t != 0) continue;
      for (int half = 0; half < 2; half++) {
        body(key_sums[block][2 * half], block, feature + half * 8, kHeadDim);
      }
#endif
    }
  }

#if NORMALIZED
  // Leaves z in its first column.
  __device__ __forceinline__ void add_key_sum_parts() {
    for (int i = 0; i < kWarpBlocks * 2; i++) {
      key_sums[i / 2][i % 2 * 2] += key_sums[i / 2][i % 2 * 2 + 1];
      key_sums[i / 2][i % 2 * 2 + 1] = 0;
    }
  }
#endif

  __device__ __forceinline__ void decay(float factor) {
    for (int block = 0; block < kWarpBlocks; block++) {
      for (int i = 0; i < kHeadDim / 2; i++) sums[block][i / 4][i % 4] *= factor;
#if NORMALIZED
      for (int c = 0; c < 4; c++) key_sums[block][c] *= factor;
#endif
    }
  }
};

// Writes a state as it is.
__device__ __forceinline__ void write_state(StateSlice& slice, float* sums, float* key_sums) {
  slice.for_each([&](float& value, int, int feature, int column) {
    if (column < kHeadDim) {
      sums[(int64)feature * kHeadDim + column] = value;
    } else {
      key_sums[feature] = value;
    }
  });
}

// Writes this warp's part of a snapshot whose slabs have so many columns, and z in fp32 unless null.
template <int kColumns>
__device__ __forceinline__ void write_snapshot(
    const StateSlice& slice, unsigned char* snapshot, float* key_sums) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int block = 0; block < kWarpBlocks; block++) {
    if (!slice.in_range(block)) continue;
    const float weight = slice.blocks[block].multiplicity();
    const int feature = (slice.first_block + block) * 16 + g;
#if BF16
    element* slab = reinterpret_cast<element*>(snapshot) +
                    (int64)(feature / kSlabFeatures) * (kSlabFeatures * kColumns);
    element* own = slab + slab_place(feature % kSlabFeatures, 2 * t);
#else
    float* own = reinterpret_cast<float*>(snapshot) + (int64)feature * kHeadDim + 2 * t;
#endif
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++) {
        const float* two = &slice.sums[block][n][half * 2];
#if BF16
        *reinterpret_cast<uint32*>(own + slab_place(half * 8, n * 8)) =
            elements_of(two[0] * weight, two[1] * weight);
#else
        *reinterpret_cast<float2*>(own + half * 8 * kHeadDim + n * 8) =
            make_float2(stored_of(two[0] * weight), stored_of(two[1] * weight));
#endif
      }
#if NORMALIZED
      if (t != 0) continue;
      const float sum = slice.key_sums[block][half * 2] * weight;
#if BF16
      if (kColumns > kHeadDim) own[slab_place(half * 8, kHeadDim)] = element_of(sum);
#endif
      if (key_sums != nullptr) key_sums[feature + half * 8] = sum;
#endif
    }
  }
}

#if NORMALIZED
// Four tokens' weights as a B operand that is zero but for its first two columns: what they are in
// the operand's precision, and what that leaves out.
__device__ __forceinline__ void sum_operand(Pair (&b)[2], const float4& weights) {
  const int column = threadIdx.x % 32 / 4;
  const Pair high[2] = {pair_of(weights.x, weights.y), pair_of(weights.z, weights.w)};
  const Pair low[2] = {
      pair_of(weights.x - low_of(high[0]), weights.y - high_of(high[0])),
      pair_of(weights.z - low_of(high[1]), weights.w - high_of(high[1]))};
  for (int i = 0; i < 2; i++) b[i] = column == 0 ? high[i] : column == 1 ? low[i] : Pair{};
}
#endif

// S += phi(X)^T values over one step's tokens, and z likewise.
template <typename Value>
__device__ __forceinline__ void add_tokens(
    StateSlice& slice, const WalkShared<Value>& shared, int stage) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll 1
  for (int token = 0; token < kStateTokens; token += 16) {
    Pair values[kHeadDim / 16][2][2];
#pragma unroll
    for (int m = 0; m < kHeadDim / 16; m++) {
      load_pairs_b_transposed(values[m], shared.weighted, token, m * 16);
    }
#if NORMALIZED
    Pair weights[2];
    sum_operand(weights,
                *reinterpret_cast<const float4*>(&shared.sum_weights[stage][token + 4 * t]));
#endif
#pragma unroll
    for (int block = 0; block < kWarpBlocks; block++) {
      Pair features[4];
      key_features(features, shared.x_transposed, shared.x_transposed, slice.blocks[block], token,
                   g, t);
#pragma unroll
      for (int m = 0; m < kHeadDim / 16; m++) {
        multiply_add(slice.sums[block][2 * m], features, values[m][0][0], values[m][0][1]);
        multiply_add(slice.sums[block][2 * m + 1], features, values[m][1][0], values[m][1][1]);
      }
#if NORMALIZED
      multiply_add(slice.key_sums[block], features, weights[0], weights[1]);
#endif
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

// Adds tokens [first, end), with their weights. Those of the next step are on their way meanwhile.
template <typename Value, typename Weights>
__device__ __forceinline__ void add_range(
    StateSlice& slice, WalkShared<Value>& shared, const WalkTokens& tokens, int64 first, int64 end,
    const Weights& weights) {
  constexpr int shares = (kStateTokens + kStateThreads - 1) / kStateThreads;
  typename Weights::Numbers numbers[shares];
  const auto load = [&](int64 from) {
    load_rows(shared.x, tokens.x, tokens.x_stride, from, end, kStateTokens, kStateThreads,
              tokens.x_aligned);
    load_rows(shared.values, tokens.values, tokens.values_stride, from, end, kStateTokens,
              kStateThreads, tokens.values_aligned);
    copy_commit();
    for (int i = 0; i < shares; i++) {
      const int token = threadIdx.x + i * kStateThreads;
      if (token < kStateTokens) numbers[i] = weights.load(min(from + token, end - 1));
    }
  };
  const auto write_weights = [&](int64 from, int stage) {
    for (int i = 0; i < shares; i++) {
      const int token = threadIdx.x + i * kStateThreads;
      if (token >= kStateTokens) break;
      const float weight = from + token < end ? weights.weight(numbers[i], from + token) : 0.0f;
      shared.weights[stage][lane_order(token)] = weight;
#if NORMALIZED
      shared.sum_weights[stage][lane_order(token)] = weight * weights.sum_factor(numbers[i]);
#endif
    }
  };
  if (first >= end) return;
  int stage = 0;
  load(first);
  write_weights(first, stage);
#pragma unroll 1
  for (int64 from = first; from < end; from += kStateTokens) {
    copy_wait();
    __syncthreads();  // x, values and weights are there; the last step's products are done
    transpose_rows(shared.x_transposed, shared.x, kStateThreads);
    weigh_values(shared, stage);
    __syncthreads();  // x_transposed and weighted are complete; x and values are free
    const bool more = from + kStateTokens < end;
    if (more) load(from + kStateTokens);
    add_tokens(slice, shared, stage);
    stage ^= 1;
    if (more) write_weights(from + kStateTokens, stage);
  }
  __syncthreads();  // the weights are read
#if NORMALIZED
  slice.add_key_sum_parts();
#endif
}
