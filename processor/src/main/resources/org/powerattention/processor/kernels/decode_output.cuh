#pragma once
// What the last of a head's blocks does when all have left their parts.

constexpr int kPartialThreads = kPartialNumbers / 4;  // threads that read the numbers of one split
constexpr int kOutputLanes = kDecodeThreads / kPartialThreads;

// Called by all threads of a block when they have left its parts: whether all blocks of the head have.
__device__ __forceinline__ bool is_last(const ServingArguments& args, int batch_head) {
  __shared__ bool last;
  __syncthreads();  // the block's parts are written
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicAdd(&args.arrivals[batch_head], 1u) + 1 == (uint32)args.splits;
    if (last) args.arrivals[batch_head] = 0;  // for the next call
    __threadfence();
  }
  __syncthreads();
  return last;
}

// Adds the parts of a query row, one of the whole batch's, in the same order each time, and writes
// its y.
__device__ __forceinline__ void write_output(
    const ServingArguments& args, ServingShared& shared, int64 row) {
  float(*parts)[kPartialNumbers] =
      reinterpret_cast<float(*)[kPartialNumbers]>(&shared.values[0][0]);
  const float* partials = args.partials + row * args.splits * kPartialNumbers;
  const int lane = threadIdx.x / kPartialThreads;
  const int number = threadIdx.x % kPartialThreads * 4;
  __syncthreads();  // the last row is written
  if (lane < kOutputLanes) {
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 4
    for (int64 split = lane; split < args.splits; split += kOutputLanes) {
      const float4 part =
          __ldcg(reinterpret_cast<const float4*>(&partials[split * kPartialNumbers + number]));
      sum.x += part.x;
      sum.y += part.y;
      sum.z += part.z;
      sum.w += part.w;
    }
    *reinterpret_cast<float4*>(&parts[lane][number]) = sum;
  }
  __syncthreads();  // all lanes' sums are there
  if (threadIdx.x >= kHeadDim) return;
  float sum = 0;
#pragma unroll
  for (int l = 0; l < kOutputLanes; l++) sum += parts[l][threadIdx.x];
#if NORMALIZED
  float state_weight = 0;
  float window_weight = 0;
#pragma unroll
  for (int l = 0; l < kOutputLanes; l++) {
    state_weight += parts[l][kHeadDim];
    window_weight += parts[l][kHeadDim + 1];
  }
  // Weights of an even degree are not negative: what is, is rounding.
  const float weight = fmaxf(state_weight, 0.0f) + window_weight;
  const float factor = weight == 0.0f ? 0.0f : 1.0f / weight;
#else
  const float factor = (float)args.output_scale;
#endif
  element* y = args.y + row / args.query_heads * args.y_strides.batch +
               row % args.query_heads * args.y_strides.head;
  y[threadIdx.x] = element_of(sum * factor);
}

// Puts the new token into the window of its head, of which the first `folded` are in the state.
__device__ __forceinline__ void append_token(
    const ServingArguments& args, const Window& window, int folded) {
  const int64 batch = window.batch_head / (int)args.key_heads;
  const int64 head = window.batch_head % (int)args.key_heads;
  const int64 slot = window.slot(window.length);
  const int d = threadIdx.x;
  if (d < kHeadDim) {
    args.window_keys[slot * kHeadDim + d] =
        args.k[batch * args.k_strides.batch + head * args.k_strides.head + d];
    args.window_values[slot * kHeadDim + d] =
        args.v[batch * args.v_strides.batch + head * args.v_strides.head + d];
  }
  if (d == 0) {
#if GATED
    args.window_gates[slot] =
        args.log_gate[batch * args.gate_strides.batch + head * args.gate_strides.head];
#endif
    args.spans[2 * window.batch_head] = (window.first + folded) % kWindow;
    args.spans[2 * window.batch_head + 1] = window.length - folded + 1;
  }
}
