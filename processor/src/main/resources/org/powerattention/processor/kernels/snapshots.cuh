#pragma once
// How the state at a chunk's start lies in memory, and the gradient of one: S as operands of products,
// with the multiplicities folded in that the tiled symmetric power leaves out.
#if BF16
// S lies in slabs of 64 features: core matrices of 8 features by 8 columns, 128 bytes without a gap.
// Those of 8 columns lie one after another, then those of the next 8. In a state the column of z comes
// last, so that what reads S alone copies the slab's beginning; z in fp32, which the backward pass
// reads, lies apart. A gradient has z [kFeatures] in fp32 behind its last slab.
constexpr int kSlabFeatures = 64;
constexpr int kSlabs = (kFeatures + kSlabFeatures - 1) / kSlabFeatures;

// Elements of a slab.
constexpr int kStateSlab = kSlabFeatures * kSumColumns;
constexpr int kGradientSlab = kSlabFeatures * kHeadDim;

__device__ __forceinline__ int slab_place(int feature, int column) {
  return column / 8 * (8 * kSlabFeatures) + feature / 8 * 64 + feature % 8 * 8 + column % 8;
}

// Bytes of a gradient before its z.
constexpr int64 kGradientSums = (int64)kSlabs * kGradientSlab * sizeof(element);
#else
// S [kFeatures][kHeadDim], then z [kFeatures], all in 32 bits. Bytes before z:
constexpr int64 kStateSums = (int64)kFeatures * kHeadDim * sizeof(float);
constexpr int64 kGradientSums = kStateSums;
#endif
