#pragma once

constexpr int kRowTermThreads = 256;
constexpr int kRowTermTokens = 64;
// Lanes that share a row, four columns each.
constexpr int kRowLanes = kHeadDim > 64 ? 32 : kHeadDim > 32 ? 16 : kHeadDim > 16 ? 8 : 4;
static_assert(kRowLanes * 4 >= kHeadDim, "every column has a lane");

// r_i = 1 / sum_j w_ij, or 0 where that sum is 0, and <dy_i, y_i>.
// Grid (tokens of the longest sequence / 64 rounded up, batch * query_heads).
extern "C" __global__ __launch_bounds__(kRowTermThreads)
void row_terms(const __grid_constant__ Arguments args) {
  const int64 batch = blockIdx.y / args.query_heads;
  const int64 head = blockIdx.y % args.query_heads;
  const Sequence sequence = sequence_of(args, batch);
  const element* dy = head_rows(args.dy, args.dy_strides, sequence, batch, head);
  const bool aligned = is_aligned(args.dy, args.dy_strides);
  const int column = threadIdx.x % kRowLanes * 4;
#pragma unroll
  for (int i = 0; i < kRowTermTokens; i += kRowTermThreads / kRowLanes) {
    const int64 token = blockIdx.x * (int64)kRowTermTokens + i + threadIdx.x / kRowLanes;
    const bool valid = token < sequence.tokens && column < kHeadDim;
    const int64 index = (sequence.rows + token) * args.query_heads + head;
    float sum = 0;
    if (valid) {
      const element* source = dy + token * args.dy_strides.token + column;
      element four[4];
      if (aligned) {
        *reinterpret_cast<FourElements*>(four) = load_four(source);
      } else {
        for (int e = 0; e < 4; e++) four[e] = source[e];
      }
      const float4 y =
          *reinterpret_cast<const float4*>(args.saved_outputs + index * kHeadDim + column);
      sum = float_of(four[0]) * y.x + float_of(four[1]) * y.y + float_of(four[2]) * y.z +
            float_of(four[3]) * y.w;
    }
    for (int distance = kRowLanes / 2; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(0xffffffff, sum, distance);
    }
    if (valid && column == 0) {
      const float weights = args.saved_weights[index];
      const int64 place = head * args.all_tokens + sequence.rows + token;
      args.row_scales[place] = weights == 0.0f ? 0.0f : 1.0f / weights;
      args.row_deltas[place] = sum;
    }
  }
}
