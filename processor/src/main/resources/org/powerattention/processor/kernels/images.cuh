#pragma once
// An image is a matrix of kHeadDim columns in shared memory as wgmma reads it without a swizzle:
// core matrices of 8 rows by 8 columns, each 128 contiguous bytes, row after row; first all that
// make up rows 0 to 7, then those of rows 8 to 15, and so on. Rows are tokens, or features of a
// state.
constexpr int kCoreElements = 64;
constexpr int kEightRows = 8 * kHeadDim;  // elements

// Place of row g and column 2t of the 16 rows from `row` on, g = lane / 4 and t = lane % 4. Columns
// 8 n more are at kCoreElements n, row g + 8 is at kEightRows.
__device__ __forceinline__ int lane_place(int row) {
  return row / 8 * kEightRows + threadIdx.x % 32 * 2;
}

// An operand tells, in units of 16 bytes, where a matrix begins, and how far apart core matrices
// are that follow each other along the summed dimension and along the other.
__device__ __forceinline__ Operand operand(const element* image, uint32 summed, uint32 other) {
  return Operand{shared_address(image) >> 4 | summed << 16, other};
}

constexpr int kNextColumns = 16;         // distance of 16 columns
constexpr int kNextRows = 2 * kHeadDim;  // distance of 16 rows

// An operand that is summed over the image's columns.
__device__ __forceinline__ Operand summed_columns(const element* image) {
  return operand(image, 8, kHeadDim);
}

// An operand that is summed over the image's rows.
__device__ __forceinline__ Operand summed_rows(const element* image) {
  return operand(image, kHeadDim, 8);
}

// What a thread copies of an image: eight columns of a row and of every kPassRows-th behind it.
constexpr int kPassRows = kGradientThreads / kHeadDim * 8;

__device__ __forceinline__ int copied_row() { return threadIdx.x / kHeadDim * 8 + threadIdx.x % 8; }

__device__ __forceinline__ int copied_column() { return threadIdx.x / 8 % (kHeadDim / 8) * 8; }

// Whether this thread copies anything in the pass that begins at this row, of so many.
__device__ __forceinline__ bool copies(int pass, int rows) {
  const bool all = rows % kPassRows == 0 && kGradientThreads % kHeadDim == 0;
  return all || (pass + copied_row() < rows && threadIdx.x < kPassRows * (kHeadDim / 8));
}

// load_image where rows cannot be read 16 bytes at a time.
template <int kRows>
__device__ __noinline__ void load_unaligned_image(
    element* image, const element* source, int64 token_stride, int rows) {
  for (int pass = 0; pass < kRows && copies(pass, kRows); pass += kPassRows) {
    for (int e = 0; e < 8; e++) {
      image[pass * kHeadDim + threadIdx.x * 8 + e] =
          pass + copied_row() < rows ? source[pass * token_stride + e] : (element)0;
    }
  }
}

// Starts loading kRows rows, of which the first `rows` are read and the others zero. `source` is
// what this thread copies first. Complete after copy_wait, fence_async_reads and a barrier.
template <int kRows>
__device__ __forceinline__ void load_image(
    element* image, const element* source, int64 token_stride, int rows, bool aligned) {
  if (!aligned) {
    load_unaligned_image<kRows>(image, source, token_stride, rows);
    return;
  }
  const int left = rows - copied_row();
#pragma unroll
  for (int pass = 0; pass < kRows; pass += kPassRows) {
    if (!copies(pass, kRows)) break;
    copy_async_16(image + pass * kHeadDim + threadIdx.x * 8, source + pass * token_stride,
                  pass < left);
  }
}

// The 16 rows of a warp from `row` on as A operands, 16 columns each.
__device__ __forceinline__ void load_fragments(
    uint32 (&a)[kHeadDim / 16][4], const element* image, int row) {
  const element* place = image + lane_place(row);
#pragma unroll
  for (int s = 0; s < kHeadDim / 16; s++) {
    a[s][0] = load_two(place + 2 * s * kCoreElements);
    a[s][1] = load_two(place + 2 * s * kCoreElements + kEightRows);
    a[s][2] = load_two(place + (2 * s + 1) * kCoreElements);
    a[s][3] = load_two(place + (2 * s + 1) * kCoreElements + kEightRows);
  }
}

// Starts d = products of 64 rows of an image with 64 rows of another.
__device__ __forceinline__ void multiply_rows(
    float (&d)[32], const element* rows, const element* columns) {
  Operand a = summed_columns(rows);
  const Operand b = summed_columns(columns);
  keep(a.low);
#pragma unroll
  for (int s = 0; s < kHeadDim / 16; s++) {
    wgmma_shared(d, a + s * kNextColumns, b + s * kNextColumns, s > 0);
  }
}

// Accumulators of 64 rows by 64 as the A operand of their 16 columns from 16 s on.
__device__ __forceinline__ void operand_of(uint32 (&a)[4], const float (&d)[32], int s) {
  a[0] = pair_of(d[s * 8], d[s * 8 + 1]);
  a[1] = pair_of(d[s * 8 + 2], d[s * 8 + 3]);
  a[2] = pair_of(d[s * 8 + 4], d[s * 8 + 5]);
  a[3] = pair_of(d[s * 8 + 6], d[s * 8 + 7]);
}

// Rows of kHeadDim numbers in accumulators: 64 of a warpgroup, a lane's as in wgmma_registers.
constexpr int kStrips = kHeadDim / kStrip;  // products of so many columns each

struct Rows {
  float strips[kStrips][kStrip / 2];

  // Number c of a lane's four of column block n of 8.
  __device__ __forceinline__ float& at(int n, int c) {
    return strips[n / (kStrip / 8)][n % (kStrip / 8) * 4 + c];
  }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
      for (int c = 0; c < 4; c++) at(n, c) = 0;
    }
  }

  // Multiplies rows g and g + 8.
  __device__ __forceinline__ void scale(const float (&factors)[2]) {
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
      for (int c = 0; c < 4; c++) at(n, c) *= factors[c / 2];
    }
  }

  // Adds a times 16 rows of an image, given by summed_rows; or is that, unless `accumulate`.
  __device__ __forceinline__ void add_product(
      const uint32 (&a)[4], Operand image, bool accumulate = true) {
#pragma unroll
    for (int s = 0; s < kStrips; s++) {
      wgmma_registers<true>(strips[s], a, image + s * kStrip, accumulate);
    }
  }

  // Adds d [64 x 64] as operands times 64 rows of an image.
  __device__ __forceinline__ void add_products(const float (&d)[32], const element* image) {
    uint32 a[4][4];
#pragma unroll
    for (int s = 0; s < 4; s++) operand_of(a[s], d, s);
    wgmma_fence();
#pragma unroll
    for (int s = 0; s < 4; s++) add_product(a[s], summed_rows(image) + s * kNextRows);
    wgmma_commit();
    wgmma_wait<0>();
    results();
  }

  __device__ __forceinline__ void results() {
#pragma unroll
    for (int s = 0; s < kStrips; s++) wgmma_results(strips[s]);
  }
};
