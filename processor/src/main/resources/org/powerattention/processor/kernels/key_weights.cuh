#pragma once

// Of keys, in a sum over their chunk's tokens.
struct KeyWeights {
  int64 chunk_first;  // the chunk's first token
#if GATED
  const double* gate_sum;
  double before;  // G of the chunk's tokens does not have this; that of the tokens before it does
  double last;
#endif

  static constexpr bool kCounts = true;  // z sums features times weights

  struct Numbers {
    double gate;
  };

  __device__ __forceinline__ KeyWeights(
      const Arguments& args, const Sequence& sequence, int64 head, int64 chunk, int64 chunk_end)
      : chunk_first(chunk * args.chunk) {
#if GATED
    gate_sum = args.gate_sum + token_place(args, sequence, head);
    before = chunk > 0 ? gate_sum[chunk_first - 1] : 0.0;
    last = gate_at(args, gate_sum, chunk, chunk_end - 1);
#endif
  }

  __device__ __forceinline__ Numbers load(int64 token) const {
#if GATED
    return Numbers{gate_sum[token]};
#else
    return Numbers{};
#endif
  }

  // exp(G_last - G_j)
  __device__ __forceinline__ float weight(const Numbers& numbers, int64 token) const {
#if GATED
    const double gate = token < chunk_first ? numbers.gate - before : numbers.gate;
    return expf((float)(last - gate));
#else
    return 1;
#endif
  }

  // What multiplies weights in z.
  __device__ __forceinline__ float sum_factor(const Numbers&) const { return 1; }
};
