#pragma once

constexpr int kGateGradientThreads = 1024;

// Inclusive sums over the threads of a block, of two numbers at once; `carry` is added and moved to
// the end of the block.
__device__ __forceinline__ void add_up(
    double2& value, double2& carry, double2 (&warp_sums)[kGateGradientThreads / 32]) {
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
  for (int w = 0; w < kGateGradientThreads / 32; w++) {
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

// dlog_gate_m = sum of c_ij over the pairs j < m <= i. With c_ij summed by rows (i) and by columns
// (j), and of a token m of chunk c:
//   pairs without a state:  sum over n >= m of row_n - column_n, to the end of the sequence;
//   pairs through a state:  the same to the end of the chunk, and the pairs that begin before the
//     end of the chunk and end after it: those that begin in the chunk, column_n summed, and those
//     that begin before it, <dS, S> at the state's start and column_n from there to the chunk's.
// Every pair in such a sum spans m, but for pairs whose terms cancel exactly, so that rounding
// errors stay as small as the result.
// Grid (batch * key_heads): a block walks a sequence from its end.
extern "C" __global__ __launch_bounds__(kGateGradientThreads)
void gate_gradients(const __grid_constant__ Arguments args) {
  __shared__ double2 warp_sums[kGateGradientThreads / 32];
  const int64 batch = blockIdx.x / args.key_heads;
  const int64 head = blockIdx.x % args.key_heads;
  const int64 group = args.query_heads / args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  float* target = head_rows(args.dlog_gate, args.dgate_strides, sequence, batch, head);
  const int64 rows = token_place(args, sequence, head);
  const float* query_sums = args.query_sums + head * group * args.all_tokens + sequence.rows;
  const float* query_state_sums =
      args.query_state_sums + head * group * args.all_tokens + sequence.rows;

  double direct = 0;  // pairs without a state, over the tokens behind
  for (int64 chunk = sequence.chunks - 1; chunk >= 0; chunk--) {
    const int64 first = chunk * args.chunk;
    const int64 end = min(first + args.chunk, sequence.tokens);

    // What spans the chunk's last token and is seen through a state.
    double2 value{0, 0};
    for (int64 token = state_start(args, sequence, chunk) + threadIdx.x; token < end;
         token += kGateGradientThreads) {
      value.x += args.key_state_sums[rows + token];
    }
    if (args.state_products != nullptr) {
      const float* products =
          args.state_products + chunk_place(args, sequence, head, chunk) * kJoinWarps;
      for (int64 i = threadIdx.x; i < kJoinWarps; i += kGateGradientThreads) value.y += products[i];
    }
    double2 spanning{0, 0};
    add_up(value, spanning, warp_sums);

    double2 carry{direct, spanning.x + spanning.y};
    for (int64 step = end; step > first; step -= kGateGradientThreads) {
      const int64 token = step - 1 - threadIdx.x;
      double2 sums{0, 0};
      if (token >= first) {
        sums.x = -args.key_sums[rows + token];
        sums.y = -args.key_state_sums[rows + token];
        for (int64 r = 0; r < group; r++) {
          sums.x += query_sums[r * args.all_tokens + token];
          sums.y += query_state_sums[r * args.all_tokens + token];
        }
      }
      add_up(sums, carry, warp_sums);
      if (token >= first) {
        target[token * args.dgate_strides.token] = (float)(sums.x + sums.y);
      }
    }
    direct = carry.x;
  }
}
