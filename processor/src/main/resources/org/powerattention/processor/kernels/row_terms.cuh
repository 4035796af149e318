#pragma once

constexpr int kRowTermThreads = 256;

// r_i = 1 / sum_j w_ij, or 0 where that sum is 0, and <dy_i, y_i>.
// Grid (rows * query_heads / 8 rounded up): one warp for each row and query head.
extern "C" __global__ __launch_bounds__(kRowTermThreads)
void row_terms(const __grid_constant__ Arguments args) {
  const int64 index = blockIdx.x * (int64)(kRowTermThreads / 32) + threadIdx.x / 32;
  const int64 row = index / args.query_heads;
  const int64 head = index % args.query_heads;
  if (row >= args.all_tokens) return;
  const bool packed = args.offsets != nullptr;
  const int64 batch = packed ? 0 : row / args.tokens;
  const int64 token = packed ? row : row % args.tokens;
  const element* dy = args.dy + batch * args.dy_strides.batch + token * args.dy_strides.token +
                      head * args.dy_strides.head;
  const float* y = args.saved_outputs + index * kHeadDim;
  float sum = 0;
  for (int i = threadIdx.x % 32; i < kHeadDim; i += 32) sum = fmaf(float_of(dy[i]), y[i], sum);
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, distance);
  }
  if (threadIdx.x % 32 == 0) {
    const float weights = args.saved_weights[index];
    args.row_scales[head * args.all_tokens + row] = weights == 0.0f ? 0.0f : 1.0f / weights;
    args.row_deltas[head * args.all_tokens + row] = sum;
  }
}
