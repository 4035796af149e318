#pragma once

// Four columns of a feature's row of S; zeros past the last feature.
__device__ __forceinline__ float4 load_state(const float* sums, int feature) {
  return feature < kFeatures
             ? *reinterpret_cast<const float4*>(sums + (int64)feature * kHeadDim)
             : make_float4(0, 0, 0, 0);
}

// Takes up to kTokens tokens of a window, from `from` on, into features [first, end) of a state.
// With m the last of them:
//   S <- exp(G_m - G_{from-1}) S + sum_j exp(G_m - G_j) phi(k_j) v_j^T,   z likewise without v_j
// Threads find the features of S as they left them; those of z after a barrier.
__device__ __forceinline__ void fold_tokens(
    const ServingArguments& args, ServingShared& shared, const Window& window, int from, int count,
    int first, int end) {
  __syncthreads();  // earlier tokens and sums of gates are done with, or complete
  for (int i = threadIdx.x; i < kTokens * kRowThreads; i += kDecodeThreads) {
    const int token = i / kRowThreads;
    const int column = i % kRowThreads * 4;
    float4 key = make_float4(0, 0, 0, 0);
    float4 value = make_float4(0, 0, 0, 0);
    float weight = 0;
    if (token < count) {
      key = window.key(args, from + token, column);
      value = window.value(args, from + token, column);
      weight = 1;
#if GATED
      weight = expf((float)(shared.before[from + count] - shared.before[from + token + 1]));
      value = make_float4(
          value.x * weight, value.y * weight, value.z * weight, value.w * weight);
#endif
    }
    *reinterpret_cast<float4*>(&shared.keys[token][column]) = key;
    *reinterpret_cast<float4*>(&shared.values[token][column]) = value;
    if (column == 0) shared.fold_weights[token] = weight;
  }
  __syncthreads();  // keys and weighted values are there
#if GATED
  const float decay = expf((float)(shared.before[from + count] - shared.before[from]));
#endif

  constexpr int kBatch = 16;  // tokens whose features are in shared memory at a time
  const int group = threadIdx.x / kDecodeFeatures;
  const int item = threadIdx.x % kDecodeFeatures;
  const int lane = threadIdx.x / kRowThreads;
  const int column = threadIdx.x % kRowThreads * 4;
  float* sums = args.sums + (int64)window.batch_head * kFeatures * kHeadDim + column;
#if NORMALIZED
  float* key_sums = args.key_sums + (int64)window.batch_head * kFeatures;
#endif
  FeatureWalk walk(first + item);
  int buffer = 0;
  for (int base = first; base < end; base += kDecodeFeatures, walk.advance()) {
    float4 state[kPasses];
#pragma unroll
    for (int pass = 0; pass < kPasses; pass++) {
      state[pass] = load_state(sums, base + pass * kFeatureLanes + lane);
#if GATED
      state[pass].x *= decay;
      state[pass].y *= decay;
      state[pass].z *= decay;
      state[pass].w *= decay;
#endif
    }
#if NORMALIZED
    float key_sum = 0;
#endif
    for (int batch = 0; batch < count; batch += kBatch, buffer ^= 1) {
      float* items = shared.items[buffer];
      for (int token = 4 * group; token < kBatch; token += 4 * kItemGroups) {
        if (group == kItemGroups) break;  // a last half group has no items
        float4 four;
        four.x = walk.of(shared.keys[batch + token]);
        four.y = walk.of(shared.keys[batch + token + 1]);
        four.z = walk.of(shared.keys[batch + token + 2]);
        four.w = walk.of(shared.keys[batch + token + 3]);
        *reinterpret_cast<float4*>(&items[item * kItemStride + token]) = four;
      }
      __syncthreads();  // these features are complete; everyone is done with those before the last
#pragma unroll
      for (int token = 0; token < kBatch; token += 4) {
        float4 values[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          values[i] =
              *reinterpret_cast<const float4*>(&shared.values[batch + token + i][column]);
        }
#pragma unroll
        for (int pass = 0; pass < kPasses; pass++) {
          const float4 four = *reinterpret_cast<const float4*>(
              &items[(pass * kFeatureLanes + lane) * kItemStride + token]);
          const float features[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
          for (int i = 0; i < 4; i++) {
            state[pass].x = fmaf(features[i], values[i].x, state[pass].x);
            state[pass].y = fmaf(features[i], values[i].y, state[pass].y);
            state[pass].z = fmaf(features[i], values[i].z, state[pass].z);
            state[pass].w = fmaf(features[i], values[i].w, state[pass].w);
          }
        }
      }
#if NORMALIZED
      if (group == 0) {
#pragma unroll
        for (int token = 0; token < kBatch; token++) {
          key_sum = fmaf(items[item * kItemStride + token], shared.fold_weights[batch + token],
                         key_sum);
        }
      }
#endif
    }
#pragma unroll
    for (int pass = 0; pass < kPasses; pass++) {
      const int feature = base + pass * kFeatureLanes + lane;
      if (feature < kFeatures) {
        *reinterpret_cast<float4*>(sums + (int64)feature * kHeadDim) = state[pass];
      }
    }
#if NORMALIZED
    if (group == 0 && base + item < kFeatures) {
      float* place = key_sums + base + item;
#if GATED
      *place = *place * decay + key_sum;
#else
      *place += key_sum;
#endif
    }
#endif
  }
}

// Takes all but the latest `kept` tokens of each window into the state; the caller then sets the
// spans. Grid (splits, batch * key_heads as x = split + splits * head).
extern "C" __global__ __launch_bounds__(kDecodeThreads)
void fold_window(const __grid_constant__ ServingArguments args) {
  ServingShared& shared = *reinterpret_cast<ServingShared*>(shared_memory);
  const WalkPlace place(args);
  const Window window(args, place.batch_head);
#if GATED
  load_gates(args, shared, place.batch_head);
  __syncthreads();  // the log gates are there
  sum_gates(shared, window);
#endif
  const int folded = window.length - (int)args.kept;
  for (int from = 0; from < folded; from += kTokens) {
    fold_tokens(args, shared, window, from, min(kTokens, folded - from), place.first, place.end);
  }
}
