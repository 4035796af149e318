#pragma once

constexpr int kOutputThreads = 256;
constexpr int kPartialThreads = kPartialNumbers / 4;  // threads that read the numbers of one split
constexpr int kOutputLanes = kOutputThreads / kPartialThreads;

// Puts a new token into the window of its head, after those that decode_rows has left there.
__device__ __forceinline__ void append_token(
    const ServingArguments& args, int64 batch, int64 head) {
  const int batch_head = (int)(batch * args.key_heads + head);
  const Window window(args, batch_head);
  const int folded = window.length == kWindow ? kHeld : 0;
  __syncthreads();  // everyone has read the span
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
    args.spans[2 * batch_head] = (window.first + folded) % kWindow;
    args.spans[2 * batch_head + 1] = window.length - folded + 1;
  }
}

// Adds a query row's parts, in the same order each time, and writes its y. The first row of a
// key/value head puts the token into the window. Grid (batch * query_heads).
extern "C" __global__ __launch_bounds__(kOutputThreads)
void decode_output(const __grid_constant__ ServingArguments args) {
  __shared__ __align__(16) float parts[kOutputLanes][kPartialNumbers];
  const int64 batch = blockIdx.x / args.query_heads;
  const int64 query_head = blockIdx.x % args.query_heads;
  const int64 group = args.query_heads / args.key_heads;
  const float* partials = args.partials + blockIdx.x * args.splits * kPartialNumbers;
  const int lane = threadIdx.x / kPartialThreads;
  const int number = threadIdx.x % kPartialThreads * 4;
  if (lane < kOutputLanes) {
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 4
    for (int64 split = lane; split < args.splits; split += kOutputLanes) {
      const float4 part =
          *reinterpret_cast<const float4*>(&partials[split * kPartialNumbers + number]);
      sum.x += part.x;
      sum.y += part.y;
      sum.z += part.z;
      sum.w += part.w;
    }
    *reinterpret_cast<float4*>(&parts[lane][number]) = sum;
  }
  if (query_head % group == 0) append_token(args, batch, query_head / group);
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
  element* y = args.y + batch * args.y_strides.batch + query_head * args.y_strides.head;
  y[threadIdx.x] = element_of(sum * factor);
}
