#pragma once

// The chunked form reads the state not at the chunk's first token but kOverlap tokens before it, and
// attends to those tokens directly. Otherwise a chunk's first rows would rest on the state alone:
// where gates are strong it is in effect one key, and phi(q) S in 16 bits cancels badly wherever
// that key's score is small.
constexpr int64 kOverlap = 64;

__device__ __forceinline__ int64 chunk_count(const ForwardArguments& args) {
  return (args.tokens + args.chunk - 1) / args.chunk;
}

// First token that the state read by a chunk leaves out; for the chunk after the last, all tokens.
__device__ __forceinline__ int64 state_start(const ForwardArguments& args, int64 chunk) {
  if (chunk == 0) return 0;
  return chunk < chunk_count(args) ? chunk * args.chunk - kOverlap : args.tokens;
}

#if GATED
// G of a token of a chunk, or of the kOverlap before it, counted from the chunk's first token on.
__device__ __forceinline__ double gate_at(
    const ForwardArguments& args, const double* gate_sum, int64 chunk, int64 token) {
  const int64 first = chunk * args.chunk;
  return token < first ? gate_sum[token] - gate_sum[first - 1] : gate_sum[token];
}

// G just before the chunk's state_start, counted likewise.
__device__ __forceinline__ double gate_before(
    const ForwardArguments& args, const double* gate_sum, int64 chunk) {
  if (chunk == 0) return 0;
  const int64 first = chunk * args.chunk;
  const double before = args.chunk > kOverlap ? gate_sum[first - kOverlap - 1] : 0;
  return before - gate_sum[first - 1];
}

// G from the chunk's state_start to the next one's, which is the same place where the first chunk is
// all overlap.
__device__ __forceinline__ double chunk_log_decay(
    const ForwardArguments& args, const double* gate_sum, int64 chunk) {
  const int64 end = state_start(args, chunk + 1);
  if (end == state_start(args, chunk)) return 0;
  return gate_at(args, gate_sum, chunk, end - 1) - gate_before(args, gate_sum, chunk);
}
#endif
