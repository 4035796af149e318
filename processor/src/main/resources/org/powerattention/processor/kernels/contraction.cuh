#pragma once
// The contraction of a gradient with respect to features phi(x) to one with respect to x:
//   dx_m += sum_f dphi_f d phi_f / d x_m.
// A warp has 16 rows. A lane holds, of rows g and g + 8, dphi of features 2t and 2t + 1 of every 8,
// as multiply_add leaves them. Each number of dx is added to by one lane only, that with
// t = m % 8 / 2, so that dx in shared memory needs no synchronisation.

constexpr int kSlab = 64;  // features that are contracted at a time

// In all degrees: `first` is the slab's first feature and `block` its first block, which is moved to
// the next slab.

// This lane's rows of x and dx.
struct ContractionRows {
  const element* x[2];
  float* dx[2];
};

#if DEGREE == 1
// dx = dphi.
__device__ __forceinline__ void contract(
    const float (&dphi)[kSlab / 8][4], const ContractionRows& rows, FeatureBlock& block,
    int first) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < kSlab / 8; n++) {
    if (first + n * 8 >= kFeatures) break;
    for (int c = 0; c < 4; c++) rows.dx[c / 2][first + n * 8 + 2 * t + c % 2] += dphi[n][c];
  }
  for (int i = 0; i < kSlab / 16; i++) block.advance();
}
#elif DEGREE == 2
// Of a tile pair (I, J), the slab: dx_Ij += sum_j dphi_ij x_Jj, dx_Jj += sum_i dphi_ij x_Ii.
__device__ __forceinline__ void contract(
    const float (&dphi)[kSlab / 8][4], const ContractionRows& rows, FeatureBlock& block,
    int first) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const element* xi = rows.x[r] + block.first_tile * 8;
    const element* xj = rows.x[r] + block.second_tile * 8 + 2 * t;
    const float xj_low = float_of(xj[0]);
    const float xj_high = float_of(xj[1]);
    float di[8];
    float dj_low = 0;
    float dj_high = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float x = float_of(xi[i]);
      dj_low = fmaf(dphi[i][2 * r], x, dj_low);
      dj_high = fmaf(dphi[i][2 * r + 1], x, dj_high);
      di[i] = fmaf(dphi[i][2 * r], xj_low, dphi[i][2 * r + 1] * xj_high);
    }
    // Sums over the four lanes of a row; this lane keeps those of i = 2t and 2t + 1.
    float half[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float mine = t < 2 ? di[i] : di[i + 4];
      const float other = t < 2 ? di[i + 4] : di[i];
      half[i] = mine + __shfl_xor_sync(0xffffffff, other, 2);
    }
    float sums[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float mine = t % 2 == 0 ? half[i] : half[i + 2];
      const float other = t % 2 == 0 ? half[i + 2] : half[i];
      sums[i] = mine + __shfl_xor_sync(0xffffffff, other, 1);
    }
    float* dj = rows.dx[r] + block.second_tile * 8 + 2 * t;
    dj[0] += dj_low;
    dj[1] += dj_high;
    float* target = rows.dx[r] + block.first_tile * 8 + 2 * t;
    target[0] += sums[0];
    target[1] += sums[1];
  }
  for (int i = 0; i < kSlab / 16; i++) block.advance();
}
#elif DEGREE == 3
// Of a triple of tiles (I, J, K), the slab. A lane has j = 2 half + t / 2 and k = 2 (t % 2) + e.
__device__ __forceinline__ void contract(
    const float (&dphi)[kSlab / 8][4], const ContractionRows& rows, FeatureBlock& block,
    int first) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const element* x = rows.x[r];
    float xk[2];
    float xj[2];
    float di[4] = {};
    float dj[2] = {};
    float dk[2] = {};
    for (int e = 0; e < 2; e++) xk[e] = float_of(x[block.third_tile * 4 + t % 2 * 2 + e]);
    for (int half = 0; half < 2; half++) {
      xj[half] = float_of(x[block.second_tile * 4 + half * 2 + t / 2]);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float xi = float_of(x[block.first_tile * 4 + i]);
#pragma unroll
      for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const float d = dphi[i * 2 + half][2 * r + e];
          di[i] = fmaf(d, xj[half] * xk[e], di[i]);
          dj[half] = fmaf(d * xi, xk[e], dj[half]);
          dk[e] = fmaf(d * xi, xj[half], dk[e]);
        }
      }
    }
    for (int i = 0; i < 4; i++) {
      di[i] += __shfl_xor_sync(0xffffffff, di[i], 1);
      di[i] += __shfl_xor_sync(0xffffffff, di[i], 2);
    }
    float dj_other[2];
    for (int half = 0; half < 2; half++) {
      dj[half] += __shfl_xor_sync(0xffffffff, dj[half], 1);
      dj_other[half] = __shfl_xor_sync(0xffffffff, dj[half], 2);
    }
    for (int e = 0; e < 2; e++) dk[e] += __shfl_xor_sync(0xffffffff, dk[e], 2);
    // A tile of 4 is the half of 8 numbers, which belong to lanes 0 and 1 or to lanes 2 and 3.
    const int pair = t % 2;
    if (block.first_tile % 2 == t / 2) {
      float* target = rows.dx[r] + block.first_tile * 4 + pair * 2;
      target[0] += pair == 0 ? di[0] : di[2];
      target[1] += pair == 0 ? di[1] : di[3];
    }
    if (block.second_tile % 2 == t / 2) {
      float* target = rows.dx[r] + block.second_tile * 4 + pair * 2;
      const float mine = pair == 0 ? dj[0] : dj[1];
      const float other = pair == 0 ? dj_other[0] : dj_other[1];
      target[0] += t < 2 ? mine : other;
      target[1] += t < 2 ? other : mine;
    }
    if (block.third_tile % 2 == t / 2) {
      float* target = rows.dx[r] + block.third_tile * 4 + pair * 2;
      target[0] += dk[0];
      target[1] += dk[1];
    }
  }
  for (int i = 0; i < kSlab / 16; i++) block.advance();
}
#else
// Of four quadruples of tiles (I, J, K, L), the slab. A lane has j = t / 2, k = t % 2.
__device__ __forceinline__ void contract(
    const float (&dphi)[kSlab / 8][4], const ContractionRows& rows, FeatureBlock& block,
    int first) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int quadruple = 0; quadruple < kSlab / 16; quadruple++) {
    if (first + quadruple * 16 >= kFeatures) break;
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const element* x = rows.x[r];
      const float xj = float_of(x[block.tile[1] * 2 + t / 2]);
      const float xk = float_of(x[block.tile[2] * 2 + t % 2]);
      const float xjk = xj * xk;
      float xi[2];
      float xl[2];
      for (int e = 0; e < 2; e++) {
        xi[e] = float_of(x[block.tile[0] * 2 + e]);
        xl[e] = float_of(x[block.tile[3] * 2 + e]);
      }
      float di[2] = {};
      float dl[2] = {};
      float both = 0;
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const float d = dphi[quadruple * 2 + i][2 * r + e];
          di[i] = fmaf(d, xl[e], di[i]);
          dl[e] = fmaf(d, xi[i], dl[e]);
          both = fmaf(d, xi[i] * xl[e], both);
        }
      }
      for (int e = 0; e < 2; e++) {
        di[e] *= xjk;
        dl[e] *= xjk;
        di[e] += __shfl_xor_sync(0xffffffff, di[e], 1);
        di[e] += __shfl_xor_sync(0xffffffff, di[e], 2);
        dl[e] += __shfl_xor_sync(0xffffffff, dl[e], 1);
        dl[e] += __shfl_xor_sync(0xffffffff, dl[e], 2);
      }
      float dj = both * xk;
      dj += __shfl_xor_sync(0xffffffff, dj, 1);
      const float dj_other = __shfl_xor_sync(0xffffffff, dj, 2);
      float dk = both * xj;
      dk += __shfl_xor_sync(0xffffffff, dk, 2);
      const float dk_other = __shfl_xor_sync(0xffffffff, dk, 1);
      // A tile of 2 belongs to one lane.
      if (block.tile[0] % 4 == t) {
        float* target = rows.dx[r] + block.tile[0] * 2;
        target[0] += di[0];
        target[1] += di[1];
      }
      if (block.tile[1] % 4 == t) {
        float* target = rows.dx[r] + block.tile[1] * 2;
        target[0] += t / 2 == 0 ? dj : dj_other;
        target[1] += t / 2 == 0 ? dj_other : dj;
      }
      if (block.tile[2] % 4 == t) {
        float* target = rows.dx[r] + block.tile[2] * 2;
        target[0] += t % 2 == 0 ? dk : dk_other;
        target[1] += t % 2 == 0 ? dk_other : dk;
      }
      if (block.tile[3] % 4 == t) {
        float* target = rows.dx[r] + block.tile[3] * 2;
        target[0] += dl[0];
        target[1] += dl[1];
      }
    }
    block.advance();
  }
}
#endif
