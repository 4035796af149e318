#pragma once
// The gradient that reaches x through features phi(x), where dphi = S u: dphi is never written, but
// contracted where wgmma leaves it, in accumulators of 64 rows by the 64 features of a tile pair.

// Eight neighbouring elements as floats.
__device__ __forceinline__ void load_eight(float (&values)[8], const element* source) {
  const uint4 eight = *reinterpret_cast<const uint4*>(source);
  const uint32 pairs[4] = {eight.x, eight.y, eight.z, eight.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    values[2 * i] = low_of(pairs[i]);
    values[2 * i + 1] = high_of(pairs[i]);
    keep(values[2 * i]);
    keep(values[2 * i + 1]);
  }
}

// Sums over the four lanes of a row; lane t keeps those of numbers 2t and 2t + 1.
__device__ __forceinline__ float2 sums_of_lanes(const float (&values)[8]) {
  const int t = threadIdx.x % 4;
  float half[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float mine = t < 2 ? values[i] : values[i + 4];
    const float other = t < 2 ? values[i + 4] : values[i];
    half[i] = mine + __shfl_xor_sync(0xffffffff, other, 2);
  }
  float sums[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float mine = t % 2 == 0 ? half[i] : half[i + 2];
    const float other = t % 2 == 0 ? half[i + 2] : half[i];
    sums[i] = mine + __shfl_xor_sync(0xffffffff, other, 1);
  }
  return make_float2(sums[0], sums[1]);
}

// Adds to dx, of a tile pair (I, J), the slab: dx_Ij += sum_j dphi_ij x_Jj and
// dx_Jj += sum_i dphi_ij x_Ii. A lane holds all i and j = 2t, 2t + 1 of its two rows.
__device__ __forceinline__ void contract_state(
    GradientShared& shared, SlabRing& ring, const Group& group) {
  int row = group.lane_row(0);
  int pair = threadIdx.x % 4 * 2;
  int lane = group.row / 16 * (kHeadDim / 8) * 32 + threadIdx.x % 32;
  keep(row);
  keep(pair);
  keep(lane);
  const TokenRow x(shared.x, row);
  float4* dx = &shared.dx[0][0][lane];
  uint32 u[kHeadDim / 16][4];
  load_fragments(u, shared.u, group.row);
  float dphi[32] = {};
#pragma unroll 1
  for (int first_tile = 0; first_tile < kTiles; first_tile++) {
    float xi[2][8];
    float di[2][8] = {};
    load_eight(xi[0], x.piece(first_tile));
    load_eight(xi[1], x.piece(first_tile) + TokenRow::kEightRows);
#pragma unroll 1
    for (int second_tile = first_tile; second_tile < kTiles; second_tile++) {
      const Operand features = summed_columns(ring.next());
      wgmma_fence();
#pragma unroll
      for (int s = 0; s < kHeadDim / 16; s++) {
        wgmma_registers<false>(dphi, u[s], features + s * kNextColumns<kSlabFeatures>, s > 0);
      }
      wgmma_commit();
      const element* two = x.piece(second_tile) + pair;
      const uint32 xj[2] = {load_two(two), load_two(two + TokenRow::kEightRows)};
      float4 dj = dx[second_tile * 32];
      wgmma_wait<0>();
      wgmma_results(dphi);
      ring.release(group);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        dj.x = fmaf(dphi[i * 4], xi[0][i], dj.x);
        dj.y = fmaf(dphi[i * 4 + 1], xi[0][i], dj.y);
        dj.z = fmaf(dphi[i * 4 + 2], xi[1][i], dj.z);
        dj.w = fmaf(dphi[i * 4 + 3], xi[1][i], dj.w);
#pragma unroll
        for (int r = 0; r < 2; r++) {
          di[r][i] = fmaf(dphi[i * 4 + 2 * r], low_of(xj[r]), di[r][i]);
          di[r][i] = fmaf(dphi[i * 4 + 2 * r + 1], high_of(xj[r]), di[r][i]);
        }
      }
      dx[second_tile * 32] = dj;
    }
    const float2 low = sums_of_lanes(di[0]);
    const float2 high = sums_of_lanes(di[1]);
    float4 sum = dx[first_tile * 32];
    dx[first_tile * 32] = make_float4(sum.x + low.x, sum.y + low.y, sum.z + high.x, sum.w + high.y);
  }
}

// Rows of phi(x) S, added to `rows`: phi(x) is built in registers, as A operands of 16 features.
__device__ __forceinline__ void read_state(
    Rows& rows, GradientShared& shared, SlabRing& ring, const Group& group) {
  int row = group.lane_row(0);
  int pair = threadIdx.x % 4 * 2;
  keep(row);
  keep(pair);
  const TokenRow x(shared.x, row);
#pragma unroll 1
  for (int first_tile = 0; first_tile < kTiles; first_tile++) {
    const element* eight = x.piece(first_tile);
    const uint4 low = *reinterpret_cast<const uint4*>(eight);
    const uint4 high = *reinterpret_cast<const uint4*>(eight + TokenRow::kEightRows);
    const uint32 xi[2][4] = {{low.x, low.y, low.z, low.w}, {high.x, high.y, high.z, high.w}};
#pragma unroll 1
    for (int second_tile = first_tile; second_tile < kTiles; second_tile++) {
      const element* two = x.piece(second_tile) + pair;
      const uint32 xj[2] = {load_two(two), load_two(two + TokenRow::kEightRows)};
      uint32 phi[4][4];
#pragma unroll
      for (int s = 0; s < 4; s++) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
          phi[s][r] = operand_times(both_low(xi[r][s]), xj[r]);
          phi[s][2 + r] = operand_times(both_high(xi[r][s]), xj[r]);
        }
      }
      const Operand state = summed_rows<kSlabFeatures>(ring.next());
      wgmma_fence();
#pragma unroll
      for (int s = 0; s < 4; s++) {
        rows.add_product<kSlabFeatures>(phi[s], state + s * kNextFeatures);
      }
      wgmma_commit();
      wgmma_wait<0>();
      rows.results();
      ring.release(group);
    }
  }
}

#if NORMALIZED
// Writes the key sum z as the symmetric matrix M with d<z, phi(x)> / dx = M x, in two bf16 parts so
// that M is as exact as z in fp32. Complete after fence_async_reads and a barrier.
__device__ __forceinline__ void write_key_sums(GradientShared& shared, const float* z) {
#pragma unroll 2
  for (int i = threadIdx.x; i < kHeadDim * (kHeadDim / 8); i += kGradientThreads) {
    const int tile = i / kHeadDim;  // eight columns of a row, in the order of summed_rows
    const int row_tile = i / 8 % (kHeadDim / 8);
    const int row = i % 8;
    const int low = min(row_tile, tile);
    const int pair = low * kTiles - low * (low - 1) / 2 + max(row_tile, tile) - low;
    float values[8];
#pragma unroll
    for (int e = 0; e < 8; e++) {
      values[e] = z[pair * 64 + (row_tile <= tile ? row * 8 + e : e * 8 + row)];
      if (row_tile == tile) values[e] += z[pair * 64 + e * 8 + row];
    }
    uint32 parts[2][4];
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const float low_value = values[2 * e];
      const float high_value = values[2 * e + 1];
      parts[0][e] = pair_of(low_value, high_value);
      parts[1][e] =
          pair_of(low_value - low_of(parts[0][e]), high_value - high_of(parts[0][e]));
    }
    for (int part = 0; part < 2; part++) {
      *reinterpret_cast<uint4*>(&shared.key_sums[part][i * 8]) =
          make_uint4(parts[part][0], parts[part][1], parts[part][2], parts[part][3]);
    }
  }
}

// dx = what the key sum adds to it: a row's weight times M x.
__device__ __forceinline__ void contract_key_sums(
    GradientShared& shared, const float (&weights)[2], const Group& group) {
  Rows rows;
  uint32 x[kHeadDim / 16][4];
  load_fragments(x, shared.x, group.row);
  wgmma_fence();
#pragma unroll
  for (int part = 0; part < 2; part++) {
#pragma unroll
    for (int s = 0; s < kHeadDim / 16; s++) {
      rows.add_product<kHeadDim>(
          x[s], summed_rows<kHeadDim>(shared.key_sums[part]) + s * kNextFeatures, part + s > 0);
    }
  }
  wgmma_commit();
  wgmma_wait<0>();
  rows.results();
  __syncthreads();  // M is read; dx takes its place
#pragma unroll
  for (int n = 0; n < kHeadDim / 8; n++) {
    shared.dx[threadIdx.x / 32][n][threadIdx.x % 32] =
        make_float4(rows.at(n, 0) * weights[0], rows.at(n, 1) * weights[0],
                    rows.at(n, 2) * weights[1], rows.at(n, 3) * weights[1]);
  }
}
#else
__device__ __forceinline__ void clear_dx(GradientShared& shared) {
#pragma unroll
  for (int n = 0; n < kHeadDim / 8; n++) {
    shared.dx[threadIdx.x / 32][n][threadIdx.x % 32] = make_float4(0, 0, 0, 0);
  }
}
#endif

// Row g + 8 r of a joint takes what was computed of it in fp32 in place of what the snapshot gave.
__device__ __forceinline__ void take_joint(GradientShared& shared, int r, const float* joint) {
  if (joint == nullptr) return;
#pragma unroll
  for (int n = 0; n < kHeadDim / 8; n++) {
    float2* two =
        reinterpret_cast<float2*>(&shared.dx[threadIdx.x / 32][n][threadIdx.x % 32]) + r;
    *two = *reinterpret_cast<const float2*>(joint + n * 8 + threadIdx.x % 4 * 2);
  }
}

// Multiplies dx by factors of its rows; sums = <x, dx> of this lane's columns.
__device__ __forceinline__ void scale_dx(
    float (&sums)[2], GradientShared& shared, const float (&factors)[2], const Group& group) {
  const TokenRow x(shared.x, group.lane_row(0));
  float4* dx = &shared.dx[threadIdx.x / 32][0][threadIdx.x % 32];
  sums[0] = sums[1] = 0;
#pragma unroll
  for (int n = 0; n < kHeadDim / 8; n++) {
    const element* two = x.piece(n) + threadIdx.x % 4 * 2;
    const uint32 low = load_two(two);
    const uint32 high = load_two(two + TokenRow::kEightRows);
    float4 d = dx[n * 32];
    d = make_float4(d.x * factors[0], d.y * factors[0], d.z * factors[1], d.w * factors[1]);
    dx[n * 32] = d;
    sums[0] = fmaf(low_of(low), d.x, fmaf(high_of(low), d.y, sums[0]));
    sums[1] = fmaf(low_of(high), d.z, fmaf(high_of(high), d.w, sums[1]));
  }
}

// rows += dx
__device__ __forceinline__ void add_dx(Rows& rows, const GradientShared& shared) {
#pragma unroll
  for (int n = 0; n < kHeadDim / 8; n++) {
    const float4 d = shared.dx[threadIdx.x / 32][n][threadIdx.x % 32];
    rows.at(n, 0) += d.x;
    rows.at(n, 1) += d.y;
    rows.at(n, 2) += d.z;
    rows.at(n, 3) += d.w;
  }
}

// Writes the group's rows.
__device__ __forceinline__ void write_gradient(
    Rows& rows, element* gradient, const BlockPlace& place, int64 token_stride, bool aligned,
    const Group& group) {
#pragma unroll
  for (int r = 0; r < 2; r++) {
    if (group.lane_row(r) >= group.rows) continue;
    element* row = gradient + place.target + (place.row + group.lane_row(r)) * token_stride +
                   threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
      write_two(row + n * 8, rows.at(n, 2 * r), rows.at(n, 2 * r + 1), aligned);
    }
  }
}

#if GATED
// Writes a number of each of the group's rows.
__device__ __forceinline__ void write_sums(
    float* target, const float (&sums)[2], const BlockPlace& place, const Group& group) {
  for (int r = 0; r < 2; r++) {
    const float sum = row_sum(sums[r]);
    if (threadIdx.x % 4 == 0 && group.lane_row(r) < group.rows) {
      target[place.row_place + place.row + group.lane_row(r)] = sum;
    }
  }
}
#endif
