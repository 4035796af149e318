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
    int rows, int threads, bool aligned, int thread = threadIdx.x) {
  for (int i = thread; i < rows * (kHeadDim / kPiece); i += threads) {
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

// Place of a token of 16 in a row of a transposed tile: the tokens of a lane of the B operand, 2t,
// 2t+1, 2t+8 and 2t+9, are neighbours.
__device__ __forceinline__ int lane_order(int token) {
  return token / 16 * 16 + token % 8 / 2 * 4 + token % 16 / 8 * 2 + token % 2;
}

// Transposes kStateTokens rows, into lane order.
__device__ __forceinline__ void transpose_rows(
    element (*target)[kKeyStride], const element (*rows)[kRowStride], int threads) {
#if FP32
  for (int i = threadIdx.x; i < kStateTokens * kHeadDim; i += threads) {
    const int token = i % kStateTokens;
    target[i / kStateTokens][lane_order(token)] = rows[token][i / kStateTokens];
  }
#else
  const int lane = threadIdx.x % 32;
  const int g = lane / 4;
  const int t = lane % 4;
  for (int block = threadIdx.x / 32; block < kStateTokens / 16 * (kHeadDim / 16);
       block += threads / 32) {
    const int token = block / (kHeadDim / 16) * 16;
    const int column = block % (kHeadDim / 16) * 16;
    uint32 r[4];  // tokens 0 to 7 and 8 to 15 of columns 0 to 7, then of columns 8 to 15
    load_matrices_transposed(r, &rows[token + lane % 16][column + lane / 16 * 8]);
    *reinterpret_cast<uint2*>(&target[column + g][token + 4 * t]) = make_uint2(r[0], r[1]);
    *reinterpret_cast<uint2*>(&target[column + 8 + g][token + 4 * t]) = make_uint2(r[2], r[3]);
  }
#endif
}
