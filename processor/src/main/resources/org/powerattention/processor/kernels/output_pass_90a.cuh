#pragma once
// The output pass on Hopper's asynchronous products. Of a block's warpgroups, kOutputGroups have 64
// query rows each and multiply; the last one brings what they read: a warp the state, slab after
// slab, the others tiles of keys and values.
#include "output_rows.cuh"

constexpr int kGroupRows = 64;
constexpr int kKeyTile = 64;
constexpr int kSlabs = (kFeatures + 63) / 64;  // 64 features each
constexpr int kMultipliers = kOutputGroups * kGroup;
constexpr int kKeyBringers = 96;  // threads

// A tile of keys and values as core matrices; behind the values there is a column of ones, which
// sums the weights.
struct KeyTile {
  element k[kKeyTile * kHeadDim];
  element v[kKeyTile * kSumColumns];
#if GATED
  float factors[kOutputGroups][kKeyTile];  // exp(G - G_j), G of a warpgroup's first row
  float2 gates[kKeyTile];                  // G_j from the block's first row on: high, low
#endif
};

struct OutputShared {
  element slabs[kSlabStages][64 * kSumColumns];
  KeyTile keys[kKeyStages];
  element q[kOutputRows][kRowStride];
  uint64 slab_full[kSlabStages];
  uint64 slab_empty[kSlabStages];
  uint64 keys_full[kKeyStages];
  uint64 keys_empty[kKeyStages];
};
static_assert(sizeof(OutputShared) == kOutputSharedBytes, "the launch must match");

#if GATED
// A difference of cumulative log gates as a sum of two floats, so that a difference of two of these
// is exact to fp32 wherever it matters.
__device__ __forceinline__ float2 two_floats(double value) {
  const float high = (float)value;
  return make_float2(high, (float)(value - (double)high));
}
#endif

// Brings the slabs of a snapshot.
__device__ __forceinline__ void bring_slabs(OutputShared& shared, const unsigned char* snapshot) {
  constexpr int bytes = sizeof(shared.slabs[0]);
  for (int slab = 0; slab < kSlabs; slab++) {
    const int stage = slab % kSlabStages;
    barrier_wait(shared.slab_empty[stage], slab / kSlabStages % 2 ^ 1);
    barrier_expect(shared.slab_full[stage], bytes);
    copy_bulk(shared.slabs[stage], snapshot + (int64)slab * bytes, bytes,
              shared.slab_full[stage]);
  }
}

// Calls body(first token, stage) for every tile of keys when its place is free. The multipliers are
// told when the copies that it started are there, with what it wrote.
template <typename Body>
__device__ __forceinline__ void bring_tiles(OutputShared& shared, const KeyRange& range, Body body) {
  int tile = 0;
#pragma unroll 1
  for (int64 first = range.first; first < range.end; first += kKeyTile, tile++) {
    const int stage = tile % kKeyStages;
    barrier_wait(shared.keys_empty[stage], tile / kKeyStages % 2 ^ 1);
    body(first, shared.keys[stage]);
  }
}

// Copies 64 rows of a head into core matrices of kColumns columns, tile after tile, by one warp; rows
// from the range's end on are zero. A lane has rows l % 8 of every 8 and, of every 32 columns, 8.
template <int kColumns>
__device__ __forceinline__ void bring_rows(
    OutputShared& shared, const KeyRange& range, const element* head, int64 token_stride,
    bool aligned, element* (*place)(KeyTile&)) {
  const int own_row = threadIdx.x % 8;
  const int own_column = threadIdx.x % 32 / 8 * 8;
  const element* source = head + (range.first + own_row) * token_stride + own_column;
  bring_tiles(shared, range, [&](int64 first, KeyTile& keys) {
    element* target = place(keys) + core_place<kColumns>(own_row, own_column);
    const int rows = (int)min(range.end - first, (int64)kKeyTile);
    if (aligned && rows == kKeyTile) {
#pragma unroll
      for (int row = 0; row < kKeyTile; row += 8, source += 8 * token_stride) {
#pragma unroll
        for (int column = 0; column < kHeadDim; column += 32) {
          // Head dimensions are multiples of 16: of the last 32 columns, half may be missing.
          if (column + 32 > kHeadDim && own_column >= 16) continue;
          copy_async_16(target + core_place<kColumns>(row, column), source + column, true);
        }
      }
    } else {
#pragma unroll 1
      for (int row = 0; row < kKeyTile; row += 8, source += 8 * token_stride) {
        const bool valid = row + own_row < rows;
        const element* line = valid ? source : head + own_column;
#pragma unroll 1
        for (int column = 0; column < kHeadDim; column += 32) {
          if (column + 32 > kHeadDim && own_column >= 16) continue;
          element* piece = target + core_place<kColumns>(row, column);
          if (aligned) {
            copy_async_16(piece, line + column, valid);
          } else {
            for (int e = 0; e < 8; e++) piece[e] = valid ? line[column + e] : (element)0;
          }
        }
      }
    }
    uint64& full = shared.keys_full[&keys - shared.keys];
    if (aligned) {
      barrier_arrive_when_copied(full);
    } else {
      barrier_arrive(full);
    }
  });
  copy_wait();
}

// Brings what belongs to the keys of each tile: gates, and the column of ones.
__device__ __forceinline__ void bring_gates(
    const Arguments& args, OutputShared& shared, const KeyRange& range) {
  const int lane = threadIdx.x % 32;
#if GATED
  float2 rows[kOutputGroups];  // G of the warpgroups' first rows, from the block's on
#pragma unroll
  for (int group = 0; group < kOutputGroups; group++) {
    const int64 row = min(range.row + group * kGroupRows, range.end - 1);
    rows[group] = two_floats(range.gate_sum[row] - range.gate_row);
  }
  const int64 chunk_first = range.chunk * args.chunk;
  const double before = range.chunk > 0 ? range.gate_sum[chunk_first - 1] : 0.0;
  const auto gate_of = [&](int64 token) {
    const double gate = range.gate_sum[min(token, range.end - 1)];
    return token < chunk_first ? gate - before : gate;
  };
  double next[2] = {gate_of(range.first + lane), gate_of(range.first + lane + 32)};
#endif
  bring_tiles(shared, range, [&](int64 first, KeyTile& keys) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int key = lane + i * 32;
#if NORMALIZED
      *reinterpret_cast<uint4*>(keys.v + core_place<kSumColumns>(key, kHeadDim)) =
          make_uint4(elements_of(1.0f, 0.0f), 0, 0, 0);
#endif
#if GATED
      const float2 gate = two_floats(next[i] - range.gate_row);
      next[i] = gate_of(first + kKeyTile + key);
      keys.gates[key] = gate;
#pragma unroll
      for (int group = 0; group < kOutputGroups; group++) {
        keys.factors[group][key] =
            expf(fminf((rows[group].x - gate.x) + (rows[group].y - gate.y), 0.0f));
      }
#endif
    }
    barrier_arrive(shared.keys_full[&keys - shared.keys]);
  });
}

// The sums of a warpgroup's rows, as multiply_group leaves them: value columns, then that of the
// weights.
typedef float GroupSums[kSumColumns / 2];

__device__ __forceinline__ void scale_rows(GroupSums& sums, float low, float high) {
#pragma unroll
  for (int i = 0; i < kSumColumns / 2; i++) sums[i] *= i % 4 < 2 ? low : high;
}

// phi of queries g and g + 8, over the 64 features of a slab, as A operands. Moves on to the next
// slab.
__device__ __forceinline__ void slab_features(
    Pair (&a)[4][4], const element* low, const element* high, FeatureBlock& block, int t) {
#if DEGREE == 2
  // One pair of tiles: the rows' parts in them are read once.
  const uint4 low_words = *reinterpret_cast<const uint4*>(low + block.first_tile * 8);
  const uint4 high_words = *reinterpret_cast<const uint4*>(high + block.first_tile * 8);
  const uint32 xi_low[4] = {low_words.x, low_words.y, low_words.z, low_words.w};
  const uint32 xi_high[4] = {high_words.x, high_words.y, high_words.z, high_words.w};
  const Pair xj_low = load_two(low + block.second_tile * 8 + 2 * t);
  const Pair xj_high = load_two(high + block.second_tile * 8 + 2 * t);
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
  const element* low = shared.q[threadIdx.x / 32 * 16 + lane / 4];
  const element* high = low + 8 * kRowStride;
  FeatureBlock block;
  Pair a[2][4][4];
#pragma unroll 1
  for (int two = 0; two < kSlabs; two += 2) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int slab = two + i;
      if (kSlabs % 2 != 0 && slab == kSlabs) break;
      const int stage = slab % kSlabStages;
      slab_features(a[i], low, high, block, lane % 4);
      barrier_wait(shared.slab_full[stage], slab / kSlabStages % 2);
      wgmma_fence();
#pragma unroll
      for (int step = 0; step < 4; step++) {
        if (kFeatures % 64 != 0 && slab * 64 + step * 16 >= kFeatures) break;
        multiply_group<true>(
            sums, a[i][step],
            summed_rows<kSumColumns>(shared.slabs[stage] + step * 16 * kSumColumns));
      }
      wgmma_commit();
      wgmma_wait<1>();  // the last slab is multiplied
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
    GroupSums& sums, const Arguments& args, int64 chunk, int64 first) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const int64 row = first + threadIdx.x / 32 * 16 + r * 8 + threadIdx.x % 32 / 4;
    const float* joint = joint_row(args, blockIdx.y, chunk, row);
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

// scores = q_i k_j of a tile's keys. Left under way.
__device__ __forceinline__ void multiply_scores(
    float (&scores)[kKeyTile / 2], const OutputShared& shared, const KeyTile& keys) {
  const int lane = threadIdx.x % 32;
  uint32 q[kHeadDim / 16][4];
#pragma unroll
  for (int d = 0; d < kHeadDim / 16; d++) {
    load_matrices(q[d], &shared.q[threadIdx.x / 32 * 16 + lane % 16][d * 16 + lane / 16 * 8]);
  }
  wgmma_fence();
#pragma unroll
  for (int d = 0; d < kHeadDim / 16; d++) {
    const uint64 k = summed_columns<kHeadDim>(keys.k + core_place<kHeadDim>(0, d * 16));
    if (d == 0) {
      begin_group<false>(scores, q[d], k);
    } else {
      multiply_group<false>(scores, q[d], k);
    }
  }
  wgmma_commit();
}

// w_ij of a tile's keys from its scores, as A operands. On the diagonal, where the tile holds the
// warpgroup's own rows, later keys are masked and gates taken pair by pair; before it, weights lack
// the factor exp(G_i - G) from the warpgroup's first row on.
template <bool kDiagonal>
__device__ __forceinline__ void weigh(
    Pair (&weights)[kKeyTile / 16][4], const float (&scores)[kKeyTile / 2], const KeyTile& keys,
    const float2 (&row_gates)[2]) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < kKeyTile / 8; n++) {
    float w[4];
#pragma unroll
    for (int c = 0; c < 4; c++) {
      const int j = n * 8 + 2 * t + c % 2;
      w[c] = power(scores[n * 4 + c]);
      if (kDiagonal) {
#if GATED
        const float2 gate = keys.gates[j];
        w[c] *= expf((row_gates[c / 2].x - gate.x) + (row_gates[c / 2].y - gate.y));
#endif
        if (j > threadIdx.x % kGroup / 32 * 16 + c / 2 * 8 + g) w[c] = 0.0f;
#if GATED
      } else {
        w[c] *= keys.factors[threadIdx.x / kGroup][j];
#endif
      }
    }
    weights[n / 2][n % 2 * 2] = pair_of(w[0], w[1]);
    weights[n / 2][n % 2 * 2 + 1] = pair_of(w[2], w[3]);
  }
}

// sums += sum over a tile's keys of w_ij (v_j, 1). Left under way.
__device__ __forceinline__ void multiply_values(
    GroupSums& sums, const Pair (&weights)[kKeyTile / 16][4], const KeyTile& keys) {
  wgmma_fence();
#pragma unroll
  for (int n = 0; n < kKeyTile / 16; n++) {
    multiply_group<true>(sums, weights[n],
                         summed_rows<kSumColumns>(keys.v + n * 16 * kSumColumns));
  }
  wgmma_commit();
}

// sums = factors * sums + sum over the keys up to each of a warpgroup's rows of w_ij (v_j, 1). The
// factors are those of the gates from the warpgroup's first row on.
__device__ __forceinline__ void attend(
    GroupSums& sums, OutputShared& shared, const KeyRange& range, const float2 (&row_gates)[2],
    const float (&row_factors)[2]) {
  const int64 group_row = range.row + threadIdx.x / kGroup * kGroupRows;
  const int tiles = (int)((range.end - range.first + kKeyTile - 1) / kKeyTile);
  const int diagonal = (int)((group_row - range.first) / kKeyTile);
  const auto arrived = [&](int tile) {
    barrier_wait(shared.keys_full[tile % kKeyStages], tile / kKeyStages % 2);
    fence_async_reads();
  };
  const auto release = [&](int tile) {
    if (threadIdx.x % 32 == 0) barrier_arrive(shared.keys_empty[tile % kKeyStages]);
  };
  int released = 0;
  if (group_row < range.end) {
    float scores[kKeyTile / 2];
    Pair weights[kKeyTile / 16][4];
#pragma unroll 1
    for (int tile = 0; tile <= diagonal; tile++) {
      const KeyTile& keys = shared.keys[tile % kKeyStages];
      arrived(tile);
      multiply_scores(scores, shared, keys);
      wgmma_wait<0>();
      wgmma_results(scores);
      if (tile < diagonal) {
        weigh<false>(weights, scores, keys, row_gates);
      } else {
        scale_rows(sums, row_factors[0], row_factors[1]);
        weigh<true>(weights, scores, keys, row_gates);
      }
      multiply_values(sums, weights, keys);
      wgmma_wait<0>();
      wgmma_results(sums);
      release(tile);
    }
    released = diagonal + 1;
  }
  for (int tile = released; tile < tiles; tile++) {
    arrived(tile);
    release(tile);
  }
}

// y of a warpgroup's rows.
template <bool kWithState>
__device__ __forceinline__ void multiply(
    const Arguments& args, OutputShared& shared, const OutputBlock& block) {
  const KeyRange& range = block.keys;
  const int group = threadIdx.x / kGroup;
  const int lane = threadIdx.x % 32;
  const int64 group_row = range.row + group * kGroupRows;
  // Rows before query_start have no query: what they find in its place is not written.
  const int skipped = (int)min(max(args.query_start - group_row, (int64)0), (int64)kGroupRows);
  load_rows(shared.q + group * kGroupRows + skipped,
            head_rows(args.q, args.q_strides, block.sequence, block.batch, block.query_head),
            args.q_strides.token, group_row + skipped - args.query_start,
            range.end - args.query_start, kGroupRows - skipped, kGroup,
            is_aligned(args.q, args.q_strides), threadIdx.x % kGroup);
  copy_wait();
  group_sync(1 + group, kGroup);

  GroupSums sums = {};
  float2 row_gates[2] = {};  // G_i from the block's first row on: high, low
  float row_factors[2] = {1, 1};
#if GATED
  const double gate_row = range.gate_sum[min(group_row, range.end - 1)];
  for (int r = 0; r < 2; r++) {
    const int64 row = range.row + threadIdx.x / 32 * 16 + r * 8 + lane / 4;
    const double gate = range.gate_sum[min(row, range.end - 1)];
    row_gates[r] = two_floats(gate - range.gate_row);
    row_factors[r] = expf((float)(gate - gate_row));
  }
#endif
  if (kWithState && (block.chunk > 0 || args.initial_sums != nullptr)) {
    read_from_state(sums, shared);
    take_joint(sums, args, block.chunk, range.row);
    // From its start to row i the state decays by exp(G_i) = exp(G) exp(G_i - G); the second factor
    // comes later.
#if GATED
    const float decay = expf((float)(gate_row - gate_before(args, range.gate_sum, block.chunk)));
#else
    const float decay = unknown_one(args);
#endif
    scale_rows(sums, decay, decay);
  }
  attend(sums, shared, range, row_gates, row_factors);

  OutputRows rows;
#pragma unroll
  for (int i = 0; i < kHeadDim / 2; i++) rows.sums[0][i / 4][i % 4] = sums[i];
#if NORMALIZED
  for (int r = 0; r < 2; r++) {
    rows.weights[0][r] = lane % 4 == 0 ? sums[kHeadDim / 2 + 2 * r] : 0.0f;
  }
#endif
  write_rows(args, rows, block.sequence, block.batch, block.query_head, range.row, range.end);
}

// y of kOutputRows tokens of one query head.
template <bool kWithState>
__device__ __forceinline__ void output(const Arguments& args) {
  OutputShared& shared = *reinterpret_cast<OutputShared*>(shared_memory);
  OutputBlock block;
  if (!block.locate(args, kWithState)) return;
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kSlabStages; stage++) {
      barrier_init(shared.slab_full[stage], 1);
      barrier_init(shared.slab_empty[stage], kMultipliers / 32);
    }
    for (int stage = 0; stage < kKeyStages; stage++) {
      barrier_init(shared.keys_full[stage], kKeyBringers);
      barrier_init(shared.keys_empty[stage], kMultipliers / 32);
    }
    barrier_init_fence();
  }
  __syncthreads();
  if (threadIdx.x >= kMultipliers) {
    give_registers<kBringerRegisters>();
    const int warp = threadIdx.x % kGroup / 32;
    if (warp == 1) {
      bring_rows<kHeadDim>(shared, block.keys, block.keys.k, block.keys.k_stride,
                           block.keys.k_aligned, [](KeyTile& keys) { return keys.k; });
    } else if (warp == 2) {
      bring_rows<kSumColumns>(shared, block.keys, block.keys.v, block.keys.v_stride,
                              block.keys.v_aligned, [](KeyTile& keys) { return keys.v; });
    } else if (warp == 3) {
      bring_gates(args, shared, block.keys);
    } else if (kWithState && threadIdx.x == kMultipliers &&
               (block.chunk > 0 || args.initial_sums != nullptr)) {
      bring_slabs(shared, args.snapshots +
                              chunk_place(args, block.sequence, block.head, block.chunk) *
                                  kSnapshotBytes);
    }
  } else {
    take_registers<kMultiplierRegisters>();
    multiply<kWithState>(args, shared, block);
  }
}

// Chunked form: y_i = exp(G_i) phi(q_i) S + sum_j w_ij v_j over the chunk and the tokens before it
// that S leaves out. Grid (row tiles, batch * query_heads).
extern "C" __global__ __launch_bounds__(kOutputThreads, 1)
void output_pass(const __grid_constant__ Arguments args) {
  output<true>(args);
}

// Attention form: the chunk is the whole sequence. Same grid.
extern "C" __global__ __launch_bounds__(kOutputThreads, 1)
void attention(const __grid_constant__ Arguments args) {
  output<false>(args);
}
