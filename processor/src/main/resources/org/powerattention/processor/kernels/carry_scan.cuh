#pragma once

constexpr int kScanThreads = 256;

#if GATED
// exp of the summed log gates of a segment: what remains of the state after it.
__device__ __forceinline__ float segment_decay(
    const Arguments& args, const Sequence& sequence, const double* gate_sum,
    int64 segment) {
  const int64 first = segment * args.chunks_per_segment;
  double log_decay = 0;
  for (int64 chunk = first; chunk < first + args.chunks_per_segment; chunk++) {
    log_decay += chunk_log_decay(args, sequence, gate_sum, chunk);
  }
  return expf((float)log_decay);
}
#endif

// Turns the states of the segments alone into the states at their starts:
//   start_0 = initial,  start_{s+1} = decay_s start_s + alone_s.
// Grid (kStateNumbers / 256 rounded up, batch * key_heads): one thread for each number.
extern "C" __global__ __launch_bounds__(kScanThreads)
void carry_scan(const __grid_constant__ Arguments args) {
  const Sequence sequence = sequence_of(args, blockIdx.y / args.key_heads);
  const int64 last_segment = segment_count(args, sequence) - 1;
#if GATED
  __shared__ float decay;
  const double* gate_sum = args.gate_sum + token_place(args, sequence, blockIdx.y % args.key_heads);
#endif
  const int64 number = blockIdx.x * (int64)kScanThreads + threadIdx.x;
  const int64 sums = (int64)kFeatures * kHeadDim;
  float* state = args.segment_states + blockIdx.y * args.segments * kStateNumbers + number;
  float carry = 0;
  if (args.initial_sums != nullptr && number < kStateNumbers) {
    carry = number < sums ? args.initial_sums[blockIdx.y * sums + number]
                          : args.initial_key_sums[blockIdx.y * kFeatures + number - sums];
  }
  for (int64 segment = 0; segment <= last_segment; segment++) {
    const bool last = segment == last_segment;  // its sum alone is not needed
#if GATED
    __syncthreads();  // the previous decay is read
    if (threadIdx.x == 0 && !last) decay = segment_decay(args, sequence, gate_sum, segment);
    __syncthreads();
#endif
    if (number < kStateNumbers) {
      const float alone = last ? 0.0f : state[segment * kStateNumbers];
      state[segment * kStateNumbers] = carry;
#if GATED
      if (!last) carry = carry * decay + alone;
#else
      carry += alone;
#endif
    }
  }
}
