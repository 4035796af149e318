#pragma once

// Elements of q, k, v and y: bits of a 16-bit float, or a float.
#if FP32
typedef float element;
#else
typedef unsigned short element;
#endif
typedef unsigned int uint32;
typedef long long int64;

// Distances between batch entries, tokens and heads, in elements; the innermost dimension is
// contiguous.
struct Strides {
  int64 batch;
  int64 token;
  int64 head;
};
