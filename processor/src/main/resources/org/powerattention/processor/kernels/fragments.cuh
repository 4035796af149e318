#pragma once
// Operands of tensor-core products out of tiles in shared memory, whatever the element type. Lane l
// has g = l / 4 and t = l % 4; the layouts are those of multiply_add.

// Numbers that are kept for a product: in its operands' precision.
#if BF16
typedef element stored;

__device__ __forceinline__ stored stored_of(float value) { return element_of(value); }
#else
typedef float stored;

__device__ __forceinline__ stored stored_of(float value) {
#if FP16
  return tf32_of(value);
#else
  return value;
#endif
}
#endif

#if !FP32
// A [16 x 16] at `row`, `column` of a tile.
__device__ __forceinline__ void load_a(
    uint32 (&a)[4], const element (*tile)[kRowStride], int row, int column) {
  const int lane = threadIdx.x % 32;
  load_matrices(a, &tile[row + lane % 16][column + lane / 16 * 8]);
}

// B [16 x 16] as two of 8 columns: column n of B is row `row` + n of the tile.
__device__ __forceinline__ void load_b(
    uint32 (&b)[2][2], const element (*tile)[kRowStride], int row, int column) {
  const int lane = threadIdx.x % 32;
  uint32 r[4];
  load_matrices(r, &tile[row + lane / 16 * 8 + lane % 8][column + lane / 8 % 2 * 8]);
  b[0][0] = r[0];
  b[0][1] = r[1];
  b[1][0] = r[2];
  b[1][1] = r[3];
}

// The same in the precision of a Pair.
__device__ __forceinline__ void load_pairs_a(
    Pair (&a)[4], const element (*tile)[kRowStride], int row, int column) {
  uint32 r[4];
  load_a(r, tile, row, column);
  for (int i = 0; i < 4; i++) a[i] = pair_of(r[i]);
}

__device__ __forceinline__ void load_pairs_b(
    Pair (&b)[2][2], const element (*tile)[kRowStride], int row, int column) {
  uint32 r[2][2];
  load_b(r, tile, row, column);
  for (int i = 0; i < 4; i++) b[i / 2][i % 2] = pair_of(r[i / 2][i % 2]);
}

// B [16 x 16] whose row k is row `row` + k of the tile.
__device__ __forceinline__ void load_pairs_b_transposed(
    Pair (&b)[2][2], const element (*tile)[kRowStride], int row, int column) {
  const int lane = threadIdx.x % 32;
  uint32 r[4];
  load_matrices_transposed(r, &tile[row + lane % 16][column + lane / 16 * 8]);
  for (int i = 0; i < 4; i++) b[i / 2][i % 2] = pair_of(r[i]);
}

#if BF16
// B [16 x 16] of a slab's features, as two of 8: column n of B is feature `feature` + n.
__device__ __forceinline__ void load_pairs_b(
    Pair (&b)[2][2], const element* slab, int feature, int column) {
  const int lane = threadIdx.x % 32;
  uint32 r[4];
  load_matrices(r, slab + slab_place(feature + lane / 16 * 8 + lane % 8, column + lane / 8 % 2 * 8));
  for (int i = 0; i < 4; i++) b[i / 2][i % 2] = r[i];
}

// The same, as two of 8 columns: row k of B is feature `feature` + k.
__device__ __forceinline__ void load_pairs_b_transposed(
    Pair (&b)[2][2], const element* slab, int feature, int column) {
  const int lane = threadIdx.x % 32;
  uint32 r[4];
  load_matrices_transposed(r, slab + slab_place(feature + lane % 16, column + lane / 16 * 8));
  for (int i = 0; i < 4; i++) b[i / 2][i % 2] = r[i];
}
#endif

// Products of the elements as they are.
typedef uint32 ElementPair;

__device__ __forceinline__ void multiply_elements(
    float (&c)[4], const ElementPair (&a)[4], ElementPair b0, ElementPair b1) {
  mma_16(c, a, b0, b1);
}
#endif

#if !BF16
__device__ __forceinline__ void load_pairs_a(
    Pair (&a)[4], const float (*tile)[kRowStride], int row, int column) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  for (int i = 0; i < 4; i++) {
    const float* two = &tile[row + g + i % 2 * 8][column + 2 * t + i / 2 * 8];
    a[i] = Pair{two[0], two[1]};
  }
}

__device__ __forceinline__ void load_pairs_b(
    Pair (&b)[2][2], const float (*tile)[kRowStride], int row, int column) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  for (int i = 0; i < 4; i++) {
    const float* two = &tile[row + g + i / 2 * 8][column + 2 * t + i % 2 * 8];
    b[i / 2][i % 2] = Pair{two[0], two[1]};
  }
}

template <int kStride>
__device__ __forceinline__ void load_pairs_b_transposed(
    Pair (&b)[2][2], const float (*tile)[kStride], int row, int column) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  for (int i = 0; i < 4; i++) {
    const int k = row + 2 * t + i % 2 * 8;
    const int n = column + g + i / 2 * 8;
    b[i / 2][i % 2] = Pair{tile[k][n], tile[k + 1][n]};
  }
}
#endif

#if FP32
typedef Pair ElementPair;

__device__ __forceinline__ void load_a(
    Pair (&a)[4], const element (*tile)[kRowStride], int row, int column) {
  load_pairs_a(a, tile, row, column);
}

__device__ __forceinline__ void load_b(
    Pair (&b)[2][2], const element (*tile)[kRowStride], int row, int column) {
  load_pairs_b(b, tile, row, column);
}

__device__ __forceinline__ void multiply_elements(
    float (&c)[4], const Pair (&a)[4], Pair b0, Pair b1) {
  multiply_add(c, a, b0, b1);
}
#endif
