#pragma once
// Operands in shared memory are core matrices: 8 rows of 8 elements, 128 bytes without a gap. Those
// of 8 rows of a matrix with `columns` columns lie one after another, then those of the next 8 rows.
template <int kColumns>
__device__ __forceinline__ int core_place(int row, int column) {
  return row / 8 * (8 * kColumns) + column / 8 * 64 + row % 8 * 8 + column % 8;
}

// Describes an operand whose rows are summed over: 16 rows by all columns.
template <int kColumns>
__device__ __forceinline__ uint64 summed_rows(const void* rows) {
  return (uint64)((shared_address(rows) & 0x3ffff) >> 4) | (uint64)kColumns << 16 |
         (uint64)8 << 32;
}

// 1, which the compiler cannot know. Where sums go from one run of products to the next untouched, it
// would do products one by one; multiplying by this in between keeps them together.
__device__ __forceinline__ float unknown_one(const Arguments& args) {
  return args.chunk > 0 ? 1.0f : 0.0f;
}
