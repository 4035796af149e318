#pragma once
// An image is a matrix of kHeadDim columns in shared memory as wgmma reads it: of tokens, in panels.
constexpr int kGradientRows = kGroups * 64;  // tokens of a block
constexpr int kColumns = 64;                 // and of a step
typedef PanelRow<kGradientRows> TokenRow;

// What a thread copies of an image of tokens: eight columns of a row and of every kPassRows-th behind
// it.
constexpr int kPassRows = kPieces > 8 ? 16 : kPieces > 4 ? 32 : kPieces > 2 ? 64 : 128;
static_assert(kPassRows * kPieces <= kGradientThreads, "a thread copies one piece");

__device__ __forceinline__ int copied_row() { return threadIdx.x / kPieces; }

__device__ __forceinline__ int copied_column() { return threadIdx.x % kPieces * 8; }

// Whether this thread copies anything of an image of so many tokens.
template <int kRows>
__device__ __forceinline__ bool copies() {
  constexpr int threads = (kRows < kPassRows ? kRows : kPassRows) * kPieces;
  return threads == kGradientThreads || threadIdx.x < threads;
}

// load_image where rows cannot be read 16 bytes at a time.
template <int kRows>
__device__ __noinline__ void load_unaligned_image(
    element* image, const element* source, int64 token_stride, int rows) {
  if (!copies<kRows>()) return;
  element* target = image + panel_place<kRows>(copied_row(), copied_column());
  for (int pass = 0; pass < kRows; pass += kPassRows) {
    for (int e = 0; e < 8; e++) {
      target[pass * kPanelColumns + e] =
          pass + copied_row() < rows ? source[pass * token_stride + e] : (element)0;
    }
  }
}

// Starts loading kRows tokens, of which the first `rows` are read and the others zero. `source` is
// what this thread copies first. Complete after copy_wait, fence_async_reads and a barrier.
template <int kRows>
__device__ __forceinline__ void load_image(
    element* image, const element* source, int64 token_stride, int rows, bool aligned) {
  if (!aligned) {
    load_unaligned_image<kRows>(image, source, token_stride, rows);
    return;
  }
  if (!copies<kRows>()) return;
  const int left = rows - copied_row();
  element* target = image + panel_place<kRows>(copied_row(), copied_column());
#pragma unroll
  for (int pass = 0; pass < kRows; pass += kPassRows) {
    copy_async_16(target + pass * kPanelColumns, source + pass * token_stride, pass < left);
  }
}

// The 16 tokens of a warp from `row` on, of a block's, as A operands, 16 columns each.
__device__ __forceinline__ void load_fragments(
    uint32 (&a)[kHeadDim / 16][4], const element* image, int row) {
  const TokenRow low(image, row + threadIdx.x % 32 / 4);
  const int pair = threadIdx.x % 4 * 2;
#pragma unroll
  for (int s = 0; s < kHeadDim / 16; s++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const element* piece = low.piece(2 * s + half) + pair;
      a[s][2 * half] = load_two(piece);
      a[s][2 * half + 1] = load_two(piece + TokenRow::kEightRows);
    }
  }
}

// Starts d = products of 64 tokens of a block, from `rows` on, with the 64 of a step.
__device__ __forceinline__ void multiply_rows(
    float (&d)[32], const element* rows, const element* columns) {
  const Operand a = panel_columns(rows);
  const Operand b = panel_columns(columns);
#pragma unroll
  for (int column = 0; column < kHeadDim; column += 16) {
    wgmma_shared(d, a + panel_distance<kGradientRows>(column),
                 b + panel_distance<kColumns>(column), column > 0);
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

  // Adds a times 16 rows of a matrix of so many, given by summed_rows; or is that, unless
  // `accumulate`.
  template <int kRows>
  __device__ __forceinline__ void add_product(
      const uint32 (&a)[4], Operand matrix, bool accumulate = true) {
#pragma unroll
    for (int s = 0; s < kStrips; s++) {
      wgmma_registers<true>(
          strips[s], a, matrix + s * (kStrip / 16) * kNextColumns<kRows>, accumulate);
    }
  }

  // Adds d [64 x 64] as operands times the 64 tokens of a step.
  __device__ __forceinline__ void add_products(const float (&d)[32], const element* image) {
    uint32 a[4][4];
#pragma unroll
    for (int s = 0; s < 4; s++) operand_of(a[s], d, s);
    const Operand first = panel_rows<kColumns>(image, 0);
    wgmma_fence();
#pragma unroll
    for (int s = 0; s < 4; s++) {
      const Operand tokens = first + s * 16 * (kPanelColumns / 8);
#pragma unroll
      for (int strip = 0; strip < kStrips; strip++) {
        wgmma_registers<true>(
            strips[strip], a[s], tokens + panel_distance<kColumns>(strip * kStrip), true);
      }
    }
    wgmma_commit();
    wgmma_wait<0>();
    results();
  }

  __device__ __forceinline__ void results() {
#pragma unroll
    for (int s = 0; s < kStrips; s++) wgmma_results(strips[s]);
  }
};
