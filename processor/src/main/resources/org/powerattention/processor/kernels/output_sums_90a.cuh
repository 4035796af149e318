#pragma once
// The sums of a warpgroup's rows, as multiply_group leaves them: value columns, then what the rows take
// of z.
typedef float GroupSums[kSumColumns / 2];

__device__ __forceinline__ void scale_rows(GroupSums& sums, float low, float high) {
#pragma unroll
  for (int i = 0; i < kSumColumns / 2; i++) sums[i] *= i % 4 < 2 ? low : high;
}

// phi of queries g and g + 8, over the 64 features of a slab, as A operands. Moves on to the next
// slab.
__device__ __forceinline__ void slab_features(
    Pair (&a)[4][4], PanelRow<kGroupRows> low, PanelRow<kGroupRows> high, FeatureBlock& block,
    int t) {
#if DEGREE == 2
  // One pair of tiles: the rows' parts in them are read once.
  const uint4 low_words = *reinterpret_cast<const uint4*>(low.piece(block.first_tile));
  const uint4 high_words = *reinterpret_cast<const uint4*>(high.piece(block.first_tile));
  const uint32 xi_low[4] = {low_words.x, low_words.y, low_words.z, low_words.w};
  const uint32 xi_high[4] = {high_words.x, high_words.y, high_words.z, high_words.w};
  const Pair xj_low = load_two(low.piece(block.second_tile) + 2 * t);
  const Pair xj_high = load_two(high.piece(block.second_tile) + 2 * t);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    a[i][0] = operand_times(both_low(xi_low[i]), xj_low);
    a[i][1] = operand_times(both_low(xi_high[i]), xj_high);
    a[i][2] = operand_times(both_high(xi_low[i]), xj_low);
    a[i][3] = operand_times(both_high(xi_high[i]), xj_high);
  }
  if (++block.second_tile == kTiles) block.second_tile = ++block.first_tile;
#else
#pragma unroll
  for (int i = 0; i < 4; i++) {
    query_features(a[i], low, high, block, t);
    block.advance();
  }
#endif
}

// sums += phi(Q) (S, z).
__device__ __forceinline__ void read_from_state(GroupSums& sums, OutputShared& shared) {
  const int lane = threadIdx.x % 32;
  const element* q = shared.q[threadIdx.x / kGroup];
  const int row = threadIdx.x % kGroup / 32 * 16 + lane / 4;
  const PanelRow<kGroupRows> low(q, row);
  const PanelRow<kGroupRows> high(q, row + 8);
  FeatureBlock block;
  Pair a[2][4][4];
#pragma unroll 1
  for (uint32 two = 0; two < kSlabs; two += 2) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const uint32 slab = two + i;
      if (kSlabs % 2 != 0 && slab == kSlabs) break;
      const int stage = slab % kSlabStages;
      slab_features(a[i], low, high, block, lane % 4);
      barrier_wait(shared.slab_full[stage], slab / kSlabStages % 2);
      const Operand state = summed_rows<kSlabFeatures>(shared.slabs[stage]);
      wgmma_fence();
#pragma unroll
      for (int step = 0; step < 4; step++) {
        if (kFeatures % 64 != 0 && slab * 64 + step * 16 >= kFeatures) break;
        multiply_group(sums, a[i][step], (state + step * kNextFeatures).packed());
      }
      wgmma_commit();
      // The last slab is multiplied; of degree 4, this one too: the many steps that its features take
      // would be taken for a part of the products under way, and these be serialized.
      wgmma_wait<kDegree == 4 ? 0 : 1>();
      if (slab > 0 && lane == 0) barrier_arrive(shared.slab_empty[(slab - 1) % kSlabStages]);
    }
  }
  wgmma_wait<0>();
  wgmma_results(sums);
#if NORMALIZED
  // Weights of an even degree are not negative: what is, is rounding.
  sums[kHeadDim / 2] = fmaxf(sums[kHeadDim / 2], 0.0f);
  sums[kHeadDim / 2 + 2] = fmaxf(sums[kHeadDim / 2 + 2], 0.0f);
#endif
}

// Rows of a joint take what joint_rows has of them in place of what the snapshot gave.
__device__ __forceinline__ void take_joint(
    GroupSums& sums, const Arguments& args, int64 batch_head, int64 chunk, int64 first) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const int64 row = first + threadIdx.x / 32 * 16 + r * 8 + threadIdx.x % 32 / 4;
    const float* joint = joint_row(args, batch_head, chunk, row);
    if (joint == nullptr) continue;
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
      sums[n * 4 + 2 * r] = joint[n * 8 + 2 * t];
      sums[n * 4 + 2 * r + 1] = joint[n * 8 + 2 * t + 1];
    }
#if NORMALIZED
    sums[kHeadDim / 2 + 2 * r] = t == 0 ? fmaxf(joint[kHeadDim], 0.0f) : 0.0f;
#endif
  }
}
