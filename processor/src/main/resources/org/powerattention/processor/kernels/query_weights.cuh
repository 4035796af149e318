#pragma once

// Of queries, in a sum over their chunk's tokens.
struct QueryWeights {
#if GATED
  const double* gate_sum;
  double before;  // G just before the chunk's state_start
#endif
#if NORMALIZED
  const float* scales;  // r_i
  const float* deltas;  // <dy_i, y_i>
#else
  float scale;
#endif

  static constexpr bool kCounts = false;  // z sums features times other numbers

  struct Numbers {
    double gate;
    float scale;
    float delta;
  };

  __device__ __forceinline__ QueryWeights(
      const Arguments& args, const Sequence& sequence, int64 head, int64 query_head, int64 chunk) {
#if GATED
    gate_sum = args.gate_sum + token_place(args, sequence, head);
    before = gate_before(args, gate_sum, chunk);
#endif
#if NORMALIZED
    scales = args.row_scales + token_place(args, sequence, query_head);
    deltas = args.row_deltas + token_place(args, sequence, query_head);
#else
    scale = (float)args.output_scale;
#endif
  }

  __device__ __forceinline__ Numbers load(int64 token) const {
    Numbers numbers{};
#if GATED
    numbers.gate = gate_sum[token];
#endif
#if NORMALIZED
    numbers.scale = scales[token];
    numbers.delta = deltas[token];
#else
    numbers.scale = scale;
#endif
    return numbers;
  }

  // exp(G_i) r_i
  __device__ __forceinline__ float weight(const Numbers& numbers, int64) const {
#if GATED
    return expf((float)(numbers.gate - before)) * numbers.scale;
#else
    return numbers.scale;
#endif
  }

  // What multiplies weights in z: -<dy_i, y_i>.
  __device__ __forceinline__ float sum_factor(const Numbers& numbers) const {
    return -numbers.delta;
  }
};
