#pragma once

constexpr int kGateGradientThreads = 256;
constexpr int kGateGradientWarps = kGateGradientThreads / 32;

// Inclusive sums over the threads of a block, of two numbers at once; `carry` is added and moved to
// the end of the block.
__device__ __forceinline__ void add_up(
    double2& value, double2& carry, double2 (&warp_sums)[kGateGradientWarps]) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  for (int distance = 1; distance < 32; distance *= 2) {
    const double x = __shfl_up_sync(0xffffffff, value.x, distance);
    const double y = __shfl_up_sync(0xffffffff, value.y, distance);
    if (lane >= distance) {
      value.x += x;
      value.y += y;
    }
  }
  if (lane == 31) warp_sums[warp] = value;
  __syncthreads();
  value.x += carry.x;
  value.y += carry.y;
  for (int w = 0; w < kGateGradientWarps; w++) {
    const double2 sum = warp_sums[w];
    if (w < warp) {
      value.x += sum.x;
      value.y += sum.y;
    }
    carry.x += sum.x;
    carry.y += sum.y;
  }
  __syncthreads();  // warp_sums is read; the next use may overwrite it
}

// A token's sum of c_ij by rows less that by columns, over pairs without a state (x) and through one
// (y).
__device__ __forceinline__ double2 row_less_column(
    const Arguments& args, const Sequence& sequence, int64 head, int64 token) {
  const int64 group = args.query_heads / args.key_heads;
  const int64 key = token_place(args, sequence, head) + token;
  double2 sums{-args.key_sums[key], -args.key_state_sums[key]};
  for (int64 query_head = head * group; query_head < (head + 1) * group; query_head++) {
    const int64 query = query_head * args.all_tokens + sequence.rows + token;
    sums.x += args.query_sums[query];
    sums.y += args.query_state_sums[query];
  }
  return sums;
}

// The sum of a chunk's tokens over pairs without a state, in place of the chunk's first cumulative
// gate, which is no longer needed.
// Grid (chunks, batch * key_heads).
extern "C" __global__ __launch_bounds__(kGateGradientThreads)
void gate_totals(const __grid_constant__ Arguments args) {
  __shared__ double2 warp_sums[kGateGradientWarps];
  const int64 batch = blockIdx.y / args.key_heads;
  const int64 head = blockIdx.y % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 first = blockIdx.x * args.chunk;
  const int64 end = min(first + args.chunk, sequence.tokens);
  if (first >= end) return;
  double2 value{0, 0};
  for (int64 token = first + threadIdx.x; token < end; token += kGateGradientThreads) {
    value.x += row_less_column(args, sequence, head, token).x;
  }
  double2 total{0, 0};
  add_up(value, total, warp_sums);
  if (threadIdx.x == 0) args.gate_sum[token_place(args, sequence, head) + first] = total.x;
}

// dlog_gate_m = sum of c_ij over the pairs j < m <= i. With c_ij summed by rows (i) and by columns
// (j), and of a token m of chunk c:
//   pairs without a state:  sum over n >= m of row_n - column_n, to the end of the sequence;
//   pairs through a state:  the same to the end of the chunk, and the pairs that begin before the
//     end of the chunk and end after it: those that begin in the chunk, column_n summed, and those
//     that begin before it, <dS, S> at the state's start and column_n from there to the chunk's.
// Every pair in such a sum spans m, but for pairs whose terms cancel exactly, so that rounding
// errors stay as small as the result.
// Grid (chunks, batch * key_heads): a block walks its chunk from the end.
extern "C" __global__ __launch_bounds__(kGateGradientThreads)
void gate_gradients(const __grid_constant__ Arguments args) {
  __shared__ double2 warp_sums[kGateGradientWarps];
  const int64 batch = blockIdx.y / args.key_heads;
  const int64 head = blockIdx.y % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 chunk = blockIdx.x;
  const int64 first = chunk * args.chunk;
  const int64 end = min(first + args.chunk, sequence.tokens);
  if (first >= end) return;
  float* target = head_rows(args.dlog_gate, args.dgate_strides, sequence, batch, head);
  const int64 rows = token_place(args, sequence, head);

  // Pairs without a state, over the chunks behind; and those through a state that span the chunk's
  // last token.
  double2 value{0, 0};
  for (int64 c = chunk + 1 + threadIdx.x; c < sequence.chunks; c += kGateGradientThreads) {
    value.x += args.gate_sum[rows + c * args.chunk];
  }
  for (int64 token = state_start(args, sequence, chunk) + threadIdx.x; token < end;
       token += kGateGradientThreads) {
    value.y += args.key_state_sums[rows + token];
  }
  if (args.state_products != nullptr) {
    const float* products =
        args.state_products + chunk_place(args, sequence, head, chunk) * kJoinWarps;
    for (int64 i = threadIdx.x; i < kJoinWarps; i += kGateGradientThreads) value.y += products[i];
  }
  double2 carry{0, 0};
  add_up(value, carry, warp_sums);

  for (int64 step = end; step > first; step -= kGateGradientThreads) {
    const int64 token = step - 1 - threadIdx.x;
    double2 sums{0, 0};
    if (token >= first) sums = row_less_column(args, sequence, head, token);
    add_up(sums, carry, warp_sums);
    if (token >= first) {
      target[token * args.dgate_strides.token] = (float)(sums.x + sums.y);
    }
  }
}
