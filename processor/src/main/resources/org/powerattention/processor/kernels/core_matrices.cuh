#pragma once
// Slabs of a snapshot, and other matrices of core matrices, as operands in shared memory.

// Distances in units of 16 bytes: of 16 features of a slab, and of 16 columns of such a matrix with so
// many rows.
constexpr int kNextFeatures = 16;

template <int kRows>
constexpr int kNextColumns = 2 * kRows;

// An operand that is summed over the rows of such a matrix, its first 16.
template <int kRows>
__device__ __forceinline__ Operand summed_rows(const element* matrix) {
  return operand(matrix, 8, kRows);
}

// An operand that is summed over a slab's columns, its first 16.
__device__ __forceinline__ Operand summed_columns(const element* slab) {
  return operand(slab, kSlabFeatures, 8);
}

// 1, which the compiler cannot know. Where sums go from one run of products to the next untouched, it
// would do products one by one; multiplying by this in between keeps them together.
__device__ __forceinline__ float unknown_one(const Arguments& args) {
  return args.chunk > 0 ? 1.0f : 0.0f;
}
