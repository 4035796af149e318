#pragma once

#if FP32
constexpr int kStateTokens = 32;  // tokens of a step of a walk along a sequence
#else
constexpr int kStateTokens = 64;  // tokens of a step of a walk along a sequence
#endif
// Elements of a row of transposed keys: the tokens and 16 more, so that reads of neighbouring rows
// fall into different banks.
constexpr int kKeyStride = kStateTokens + 16;

constexpr int kPiece = 16 / sizeof(element);  // elements that are copied at a time

// Whether rows of this tensor can be read 16 bytes at a time.
__device__ __forceinline__ bool is_aligned(const element* base, const Strides& strides) {
  const int64 bits = reinterpret_cast<int64>(base) |
                     (strides.batch | strides.token | strides.head) * (int64)sizeof(element);
  return (bits & 15) == 0;
}

// Starts copying rows [first, first + rows) of one head into shared memory; rows from `end` on are
// zero. Complete after copy_wait and a barrier.
__device__ __forceinline__ void load_rows(
    element (*target)[kRowStride], const element* head, int64 token_stride, int64 first, int64 end,
    int rows, int threads, bool aligned) {
  for (int i = threadIdx.x; i < rows * (kHeadDim / kPiece); i += threads) {
    const int row = i / (kHeadDim / kPiece);
    const int column = i % (kHeadDim / kPiece) * kPiece;
    const bool valid = first + row < end;
    const element* source = head + (valid ? (first + row) * token_stride : 0) + column;
    if (aligned) {
      copy_async_16(&target[row][column], source, valid);
    } else {
      for (int e = 0; e < kPiece; e++) target[row][column + e] = valid ? source[e] : (element)0;
    }
  }
}
