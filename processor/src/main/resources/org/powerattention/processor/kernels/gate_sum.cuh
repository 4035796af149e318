#pragma once

constexpr int kGateThreads = 256;

// G_i = sum of log_gate over the tokens of i's chunk up to and including i, in double: a difference
// of two such sums is then exact to fp32 at any length.
// Grid (chunks, batch * key_heads): a block walks its chunk, 256 tokens at a step.
extern "C" __global__ __launch_bounds__(kGateThreads)
void gate_sum(const __grid_constant__ Arguments args) {
  __shared__ double warp_sums[kGateThreads / 32];
  const int64 batch = blockIdx.y / args.key_heads;
  const int64 head = blockIdx.y % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const float* log_gate = head_rows(args.log_gate, args.gate_strides, sequence, batch, head);
  double* sums = args.gate_sum + token_place(args, sequence, head);
  const int64 first = blockIdx.x * args.chunk;
  const int64 end = min(first + args.chunk, sequence.tokens);
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;

  double carry = 0;
  for (int64 step = first; step < end; step += kGateThreads) {
    const int64 token = step + threadIdx.x;
    double sum = token < end ? log_gate_of(log_gate[token * args.gate_strides.token]) : 0.0;
    for (int distance = 1; distance < 32; distance *= 2) {
      const double below = __shfl_up_sync(0xffffffff, sum, distance);
      if (lane >= distance) sum += below;
    }
    if (lane == 31) warp_sums[warp] = sum;
    __syncthreads();
    for (int w = 0; w < warp; w++) sum += warp_sums[w];
    if (token < end) sums[token] = carry + sum;
    for (int w = 0; w < kGateThreads / 32; w++) carry += warp_sums[w];
    __syncthreads();  // warp_sums is read; the next step may overwrite it
  }
}
