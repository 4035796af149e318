#pragma once
#include "output_rows.cuh"

constexpr int kKeyStep = 32;  // keys whose scores a warp holds at a time

struct KeyTile {
  element k[kKeyTile][kRowStride];
  element v[kKeyTile][kRowStride];
};

// kSlab features of a snapshot.
struct Slab {
#if BF16
  element sums[kStateSlab];  // with the column of z
#else
  float sums[kSlab][kHeadDim + 4];
#if NORMALIZED
  float key_sums[kSlab];
#endif
#endif
};

struct OutputShared {
  element q[kOutputRows][kRowStride];
  union {
    Slab slabs[2];
    KeyTile keys[2];
  };
#if GATED
  float gates[2][kKeyTile];
#endif
};
static_assert(sizeof(OutputShared) == kOutputSharedBytes, "the launch must match");

#if NORMALIZED
__device__ __forceinline__ float sum_of(Pair pair) { return low_of(pair) + high_of(pair); }
#endif

// Multiplies the rows of a lane.
__device__ __forceinline__ void scale_rows(OutputRows& rows, const float (&factors)[kRowBlocks][2]) {
#pragma unroll
  for (int r = 0; r < kRowBlocks; r++) {
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
#pragma unroll
      for (int c = 0; c < 4; c++) rows.sums[r][n][c] *= factors[r][c / 2];
    }
#if NORMALIZED
    for (int c = 0; c < 2; c++) rows.weights[r][c] *= factors[r][c];
#endif
  }
}

// Starts loading features [first, first + kSlab). What lies past the last is not used.
__device__ __forceinline__ void load_slab(Slab& slab, const unsigned char* snapshot, int first) {
#if BF16
  static_assert(kSlab == kSlabFeatures, "as they lie in memory");
  const unsigned char* source = snapshot + (int64)(first / kSlab) * sizeof(slab.sums);
  for (int i = threadIdx.x; i < kStateSlab / 8; i += kOutputThreads) {
    copy_async_16(slab.sums + i * 8, source + i * 16, true);
  }
#else
  const float* source = reinterpret_cast<const float*>(snapshot);
  for (int i = threadIdx.x; i < kSlab * (kHeadDim / 4); i += kOutputThreads) {
    const int row = i / (kHeadDim / 4);
    const int column = i % (kHeadDim / 4) * 4;
    const bool valid = first + row < kFeatures;
    copy_async_16(&slab.sums[row][column],
                  source + (valid ? (int64)(first + row) * kHeadDim + column : 0), valid);
  }
#if NORMALIZED
  const float* key_sums = reinterpret_cast<const float*>(snapshot + kStateSums);
  for (int i = threadIdx.x; i < kSlab / 4; i += kOutputThreads) {
    const bool valid = first + i * 4 < kFeatures;
    copy_async_16(slab.key_sums + i * 4, key_sums + (valid ? first + i * 4 : 0), valid);
  }
#endif
#endif
  copy_commit();
}

#if NORMALIZED
// z of a slab's features as a B operand; only its first column is used.
__device__ __forceinline__ void load_key_sums(Pair (&b)[2], const Slab& slab, int feature) {
#if BF16
  const int lane = threadIdx.x % 32;
  uint32 r[4];
  load_matrices_transposed(r, slab.sums + slab_place(feature + lane % 16, kHeadDim));
  b[0] = r[0];
  b[1] = r[1];
#else
  const float* sums = slab.key_sums + feature + threadIdx.x % 4 * 2;
  b[0] = pair_of(sums[0], sums[1]);
  b[1] = pair_of(sums[8], sums[9]);
#endif
}
#endif

// rows += phi(Q) S, and its sum of weights phi(Q) z.
__device__ __forceinline__ void read_from_state(
    OutputRows& rows, OutputShared& shared, const unsigned char* snapshot) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  const int warp_row = threadIdx.x / 32 * (kRowBlocks * 16);
#if NORMALIZED
  float key_sums[kRowBlocks][4] = {};
#endif
  FeatureBlock block;
  load_slab(shared.slabs[0], snapshot, 0);
#pragma unroll 1
  for (int first = 0; first < kFeatures; first += kSlab) {
    copy_wait();
    __syncthreads();  // this slab (and q, before the first) has arrived; the last one is read
    const Slab& slab = shared.slabs[first / kSlab % 2];
    if (first + kSlab < kFeatures) {
      load_slab(shared.slabs[(first / kSlab + 1) % 2], snapshot, first + kSlab);
    }
#pragma unroll
    for (int feature = 0; feature < kSlab; feature += 16) {
      if (kFeatures % kSlab != 0 && first + feature >= kFeatures) break;
      Pair features[kRowBlocks][4];
#pragma unroll
      for (int r = 0; r < kRowBlocks; r++) {
        const int row = warp_row + r * 16 + g;
        query_features(features[r], shared.q[row], shared.q[row + 8], block, t);
      }
      block.advance();
#pragma unroll
      for (int n = 0; n < kHeadDim / 16; n++) {
        Pair columns[2][2];
        load_pairs_b_transposed(columns, slab.sums, feature, n * 16);
#pragma unroll
        for (int r = 0; r < kRowBlocks; r++) {
          multiply_add(rows.sums[r][2 * n], features[r], columns[0][0], columns[0][1]);
          multiply_add(rows.sums[r][2 * n + 1], features[r], columns[1][0], columns[1][1]);
        }
      }
#if NORMALIZED
      Pair column[2];
      load_key_sums(column, slab, feature);
#pragma unroll
      for (int r = 0; r < kRowBlocks; r++) {
        multiply_add(key_sums[r], features[r], column[0], column[1]);
      }
#endif
    }
  }
  __syncthreads();  // the last slab is read
#if NORMALIZED
  // Weights of an even degree are not negative: what is, is rounding.
  for (int r = 0; r < kRowBlocks; r++) {
    rows.weights[r][0] = t == 0 ? fmaxf(key_sums[r][0], 0.0f) : 0.0f;
    rows.weights[r][1] = t == 0 ? fmaxf(key_sums[r][2], 0.0f) : 0.0f;
  }
#endif
}

// Rows of a joint take what joint_rows has of them in place of what the snapshot gave.
__device__ __forceinline__ void take_joint(
    OutputRows& rows, const Arguments& args, int64 batch_head, int64 chunk, int64 first) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < kRowBlocks; r++) {
#pragma unroll
    for (int c = 0; c < 2; c++) {
      const int64 row = first + threadIdx.x / 32 * (kRowBlocks * 16) + r * 16 + c * 8 +
                        threadIdx.x % 32 / 4;
      const float* joint = joint_row(args, batch_head, chunk, row);
      if (joint == nullptr) continue;
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++) {
        rows.sums[r][n][2 * c] = joint[n * 8 + 2 * t];
        rows.sums[r][n][2 * c + 1] = joint[n * 8 + 2 * t + 1];
      }
#if NORMALIZED
      rows.weights[r][c] = t == 0 ? fmaxf(joint[kHeadDim], 0.0f) : 0.0f;
#endif
    }
  }
}

// Starts loading a tile of keys and values. Gates relative to the first query row: factors
// exp(G_row - G_j) of keys before it, G_j - G_row from it on.
__device__ __forceinline__ void load_keys(
    const Arguments& args, OutputShared& shared, const KeyRange& range, int64 first,
    int stage) {
  KeyTile& tile = shared.keys[stage];
  load_rows(tile.k, range.k, range.k_stride, first, range.end, kKeyTile, kOutputThreads,
            range.k_aligned);
  load_rows(tile.v, range.v, range.v_stride, first, range.end, kKeyTile, kOutputThreads,
            range.v_aligned);
  copy_commit();
#if GATED
  if (threadIdx.x < kKeyTile) {
    const int64 token = min(first + (int64)threadIdx.x, range.end - 1);
    const float gate =
        (float)(gate_at(args, range.gate_sum, range.chunk, token) - range.gate_row);
    shared.gates[stage][threadIdx.x] = first < range.row ? expf(-gate) : gate;
  }
#endif
}

// rows += sum over one tile's keys of w_ij v_j. On the diagonal, where the tile holds keys of the
// block's own rows, later keys are masked and gates taken pair by pair; before it, weights lack the
// factor exp(G_i - G_row).
template <bool kDiagonal>
__device__ __forceinline__ void attend_tile(
    OutputRows& rows, const OutputShared& shared, const KeyRange& range, int64 first, int stage,
    const float (&row_gates)[kRowBlocks][2]) {
  const KeyTile& tile = shared.keys[stage];
  const int lane = threadIdx.x % 32;
  const int g = lane / 4;
  const int t = lane % 4;
  const int warp_row = threadIdx.x / 32 * (kRowBlocks * 16);
  // Key j of the tile is at or before row i of the block where j <= i + diagonal.
  const int diagonal = (int)(range.row - first);
#pragma unroll 1
  for (int key = 0; key < kKeyTile; key += kKeyStep) {
    if (kDiagonal && key > warp_row + kRowBlocks * 16 - 1 + diagonal) break;
    float scores[kRowBlocks][kKeyStep / 8][4] = {};
#pragma unroll
    for (int d = 0; d < kHeadDim; d += 16) {
      uint32 q[kRowBlocks][4];
#pragma unroll
      for (int r = 0; r < kRowBlocks; r++) {
        load_matrices(q[r], &shared.q[warp_row + r * 16 + lane % 16][d + lane / 16 * 8]);
      }
#pragma unroll
      for (int n = 0; n < kKeyStep / 16; n++) {
        uint32 k[4];
        load_matrices(k, &tile.k[key + n * 16 + lane / 16 * 8 + lane % 8][d + lane / 8 % 2 * 8]);
#pragma unroll
        for (int r = 0; r < kRowBlocks; r++) {
          mma_16(scores[r][2 * n], q[r], k[0], k[1]);
          mma_16(scores[r][2 * n + 1], q[r], k[2], k[3]);
        }
      }
    }
#pragma unroll
    for (int r = 0; r < kRowBlocks; r++) {
#pragma unroll
      for (int n = 0; n < kKeyStep / 8; n++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          float weight = power(scores[r][n][c]);
          const int j = key + n * 8 + 2 * t + c % 2;
          if (kDiagonal) {
            const int i = warp_row + r * 16 + c / 2 * 8 + g;
#if GATED
            weight *= expf(row_gates[r][c / 2] - shared.gates[stage][j]);
#endif
            if (j > i + diagonal) weight = 0.0f;
#if GATED
          } else {
            weight *= shared.gates[stage][j];
#endif
          }
          scores[r][n][c] = weight;
        }
      }
    }
#pragma unroll
    for (int n = 0; n < kKeyStep / 16; n++) {
      Pair weights[kRowBlocks][4];
#pragma unroll
      for (int r = 0; r < kRowBlocks; r++) {
        const float(&left)[4] = scores[r][2 * n];
        const float(&right)[4] = scores[r][2 * n + 1];
        weights[r][0] = pair_of(left[0], left[1]);
        weights[r][1] = pair_of(left[2], left[3]);
        weights[r][2] = pair_of(right[0], right[1]);
        weights[r][3] = pair_of(right[2], right[3]);
#if NORMALIZED
        // Summed as they are rounded: then y is a mean of the values all the same.
        for (int c = 0; c < 2; c++) {
          rows.weights[r][c] += sum_of(weights[r][c]) + sum_of(weights[r][2 + c]);
        }
#endif
      }
#pragma unroll
      for (int m = 0; m < kHeadDim / 16; m++) {
        uint32 v[4];
        load_matrices_transposed(
            v, &tile.v[key + n * 16 + lane % 16][m * 16 + lane / 16 * 8]);
#pragma unroll
        for (int r = 0; r < kRowBlocks; r++) {
          multiply_add(rows.sums[r][2 * m], weights[r], pair_of(v[0]), pair_of(v[1]));
          multiply_add(rows.sums[r][2 * m + 1], weights[r], pair_of(v[2]), pair_of(v[3]));
        }
      }
    }
  }
}

// rows += sum_j w_ij v_j over the keys of the chunk up to each row.
__device__ __forceinline__ void attend_chunk(
    const Arguments& args, OutputRows& rows, OutputShared& shared, const KeyRange& range) {
  float row_gates[kRowBlocks][2] = {};  // G_i - G_row
#if GATED
  float row_factors[kRowBlocks][2];
  for (int r = 0; r < kRowBlocks; r++) {
    for (int c = 0; c < 2; c++) {
      const int64 row = range.row + threadIdx.x / 32 * (kRowBlocks * 16) + r * 16 + c * 8 +
                        threadIdx.x % 32 / 4;
      row_gates[r][c] = (float)(range.gate_sum[min(row, range.end - 1)] - range.gate_row);
      row_factors[r][c] = expf(row_gates[r][c]);
    }
  }
#endif
  int stage = 0;
  load_keys(args, shared, range, range.first, stage);
  int64 first = range.first;
#pragma unroll 1
  for (; first < range.row; first += kKeyTile) {
    copy_wait();
    __syncthreads();  // this tile has arrived; the last one is read
    load_keys(args, shared, range, first + kKeyTile, stage ^ 1);
    attend_tile<false>(rows, shared, range, first, stage, row_gates);
    stage ^= 1;
  }
#if GATED
  scale_rows(rows, row_factors);
#endif
#pragma unroll 1
  for (; first < range.end; first += kKeyTile) {
    copy_wait();
    __syncthreads();  // this tile has arrived; the last one is read
    if (first + kKeyTile < range.end) load_keys(args, shared, range, first + kKeyTile, stage ^ 1);
    attend_tile<true>(rows, shared, range, first, stage, row_gates);
    stage ^= 1;
  }
}

// y of kOutputRows tokens of one query head.
template <bool kWithState>
__device__ __forceinline__ void output(const Arguments& args) {
  OutputShared& shared = *reinterpret_cast<OutputShared*>(shared_memory);
  OutputBlock block;
  if (!block.locate(args, kWithState)) return;
  const KeyRange& range = block.keys;

  // Rows before query_start have no query: what they find in its place is not written.
  const int skipped = (int)max(args.query_start - range.row, (int64)0);
  load_rows(shared.q + skipped,
            head_rows(args.q, args.q_strides, block.sequence, block.batch, block.query_head),
            args.q_strides.token, range.row + skipped - args.query_start,
            range.end - args.query_start, kOutputRows - skipped, kOutputThreads,
            is_aligned(args.q, args.q_strides));
  OutputRows rows{};
  if (kWithState && (block.chunk > 0 || args.initial_sums != nullptr)) {
    read_from_state(
        rows, shared,
        args.snapshots +
            chunk_place(args, block.sequence, block.head, block.chunk) * kSnapshotBytes);
    take_joint(rows, args, block.batch_head(args), block.chunk, range.row);
#if GATED
    // From its start to row i the state decays by exp(G_i) = exp(G_row) exp(G_i - G_row); the
    // second factor comes later.
    const float decay =
        expf((float)(range.gate_row - gate_before(args, range.gate_sum, block.chunk)));
    float factors[kRowBlocks][2];
    for (int r = 0; r < kRowBlocks; r++) {
      factors[r][0] = factors[r][1] = decay;
    }
    scale_rows(rows, factors);
#endif
  }
  attend_chunk(args, rows, shared, range);
  write_rows(args, rows, block.sequence, block.batch, block.query_head, range.row, range.end);
}

// Chunked form: y_i = exp(G_i) phi(q_i) S + sum_j w_ij v_j over the chunk and the tokens before it
// that S leaves out. Grid (row tiles, batch * query_heads).
extern "C" __global__ __launch_bounds__(kOutputThreads, 2)
void output_pass(const __grid_constant__ Arguments args) {
  output<true>(args);
}

// Attention form: the chunk is the whole sequence. Same grid.
extern "C" __global__ __launch_bounds__(kOutputThreads, 2)
void attention(const __grid_constant__ Arguments args) {
  output<false>(args);
}
