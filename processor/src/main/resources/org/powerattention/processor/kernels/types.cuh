#pragma once

// Elements of q, k, v and y: bits of a 16-bit float, or a float.
#if FP32
typedef float element;
#else
typedef unsigned short element;
#endif
typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef long long int64;

// Distances between batch entries, tokens and heads, in elements; the innermost dimension is
// contiguous.
struct Strides {
  int64 batch;
  int64 token;
  int64 head;
};

#if GATED
// A log gate of minus infinity closes a gate; so does this, and differences of it are numbers.
constexpr float kClosed = -1e4f;

__device__ __forceinline__ double log_gate_of(float log_gate) {
  return log_gate < kClosed ? kClosed : log_gate;
}
#endif
