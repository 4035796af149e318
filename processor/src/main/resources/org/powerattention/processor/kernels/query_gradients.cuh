#pragma once

struct QueryKeys {
  element k[kQueryKeys][kRowStride];
  element v[kQueryKeys][kRowStride];
  Gate gates[kQueryKeys];  // from the block's first row on
  float factors[kQueryKeys];  // exp(G_row - G_j) of keys before the block's first row
};

struct QueryShared {
  element q[kQueryRows][kRowStride];
  element dy[kQueryRows][kRowStride];
  float dq[kQueryRows][kRowStride];  // from the state
  union {
    Slab slabs[kQueryStages];
    QueryKeys keys[2];
  };
};
static_assert(sizeof(QueryShared) == kQuerySharedBytes, "the launch must match");

// What a block needs to know of its queries and keys.
struct QueryRange {
  const element* k;
  const element* v;
  int64 k_stride;
  int64 v_stride;
  bool k_aligned;
  bool v_aligned;
  int64 chunk;
  int64 first;  // first key: the chunk's state_start
  int64 row;    // token of the block's first query
  int64 end;    // one past its last
#if GATED
  const double* gate_sum;
#endif
};

// The two rows of a lane, g and g + 8 of its warp's 16.
struct LaneRows {
  int64 token[2];
  float scales[2];  // r_i
  float deltas[2];  // <dy_i, y_i>
  Gate gates[2];    // G_i from the block's first row on
};

// dq, without r_i, from the state: dphi = S dy - <dy, y> z, contracted with q.
__device__ __forceinline__ void read_from_state(
    QueryShared& shared, const LaneRows& lane_rows, const Snapshot& snapshot) {
  const int g = threadIdx.x % 32 / 4;
#if NORMALIZED
  const int t = threadIdx.x % 4;
#endif
  const int row = threadIdx.x / 32 * 16;
  ContractionRows rows;
  for (int r = 0; r < 2; r++) {
    rows.x[r] = shared.q[row + g + r * 8];
    rows.dx[r] = shared.dq[row + g + r * 8];
  }
  FeatureBlock block;
  for_each_slab(shared.slabs, snapshot, kQueryThreads, [&](const Slab& slab, int first) {
    float dphi[kSlab / 8][4];
#pragma unroll
    for (int n = 0; n < kSlab / 8; n++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
#if NORMALIZED
        dphi[n][c] = -lane_rows.deltas[c / 2] * slab.key_sums[n * 8 + 2 * t + c % 2];
#else
        dphi[n][c] = 0;
#endif
      }
    }
    multiply_slab(dphi, shared.dy, row, slab);
    contract(dphi, rows, block, first);
  });
}

// Starts loading a step's keys and values, and their gates.
__device__ __forceinline__ void load_keys(
    const Arguments& args, QueryKeys& keys, const QueryRange& range, int64 first) {
  load_rows(keys.k, range.k, range.k_stride, first, range.end, kQueryKeys, kQueryThreads,
            range.k_aligned);
  load_rows(keys.v, range.v, range.v_stride, first, range.end, kQueryKeys, kQueryThreads,
            range.v_aligned);
  copy_commit();
#if GATED
  if (threadIdx.x < kQueryKeys) {
    const int64 token = min(first + (int64)threadIdx.x, range.end - 1);
    const double gate =
        gate_at(args, range.gate_sum, range.chunk, token) - range.gate_sum[range.row];
    keys.gates[threadIdx.x] = gate_of(gate);
    keys.factors[threadIdx.x] = first < range.row ? expf((float)-gate) : 0.0f;
  }
#endif
}

// dq += sum over a step's keys of s^(p - 1) exp(G_i - G_j) (<dy_i, v_j> - <dy_i, y_i>) k_j, and the
// same times s_ij without k_j to `sums`, but for the key j = i. On the diagonal, where the step
// holds keys of the block's own rows, later keys are masked; before it, the factor
// exp(G_i - G_row) is left out.
template <bool kDiagonal>
__device__ __forceinline__ void attend_keys(
    float (&dq)[kHeadDim / 8][4], float (&sums)[2], const QueryShared& shared,
    const QueryKeys& keys, const LaneRows& lane_rows, int diagonal) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  const int row = threadIdx.x / 32 * 16;
  // Key j of the step is at or before row i of the block where j <= i + diagonal.
  if (kDiagonal && row + 15 + diagonal < 0) return;
  float scores[kQueryKeys / 8][4] = {};
  float products[kQueryKeys / 8][4] = {};  // <dy_i, v_j>
#pragma unroll
  for (int column = 0; column < kHeadDim; column += 16) {
    ElementPair q[4];
    ElementPair dy[4];
    load_a(q, shared.q, row, column);
    load_a(dy, shared.dy, row, column);
#pragma unroll
    for (int n = 0; n < kQueryKeys / 16; n++) {
      ElementPair b[2][2];
      load_b(b, keys.k, n * 16, column);
      multiply_elements(scores[2 * n], q, b[0][0], b[0][1]);
      multiply_elements(scores[2 * n + 1], q, b[1][0], b[1][1]);
      load_b(b, keys.v, n * 16, column);
      multiply_elements(products[2 * n], dy, b[0][0], b[0][1]);
      multiply_elements(products[2 * n + 1], dy, b[1][0], b[1][1]);
    }
  }
#pragma unroll
  for (int n = 0; n < kQueryKeys / 8; n++) {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      const float score = scores[n][c];
      const int j = n * 8 + 2 * t + c % 2;
      float ds = slope(score);
#if NORMALIZED
      ds *= products[n][c] - lane_rows.deltas[c / 2];
#else
      ds *= products[n][c];
#endif
      if (kDiagonal) {
        const int i = row + c / 2 * 8 + g;
#if GATED
        ds *= gate_factor(lane_rows.gates[c / 2], keys.gates[j]);
#endif
        if (j > i + diagonal) ds = 0;
        if (j < i + diagonal) sums[c / 2] = fmaf(score, ds, sums[c / 2]);
      } else {
#if GATED
        ds *= keys.factors[j];
#endif
        sums[c / 2] = fmaf(score, ds, sums[c / 2]);
      }
      scores[n][c] = ds;
    }
  }
#pragma unroll
  for (int n = 0; n < kQueryKeys / 16; n++) {
    Pair a[4];
    operand_of(a, scores[2 * n], scores[2 * n + 1]);
    multiply_rows(dq, a, keys.k, n * 16);
  }
}

// dq of kQueryRows tokens of one query head: block x is a tile of rows within a chunk, block y a
// batch entry and query head. Two sums of c_ij over j < i are left for gate_gradients, through the
// state and directly: sum_j c_ij = <q_i, dq_i> / p, since a power is homogeneous.
// Grid (row tiles of the longest sequence, batch * query_heads).
extern "C" __global__ __launch_bounds__(kQueryThreads, kQueryBlocks)
void query_gradients(const __grid_constant__ Arguments args) {
  QueryShared& shared = *reinterpret_cast<QueryShared*>(shared_memory);
  const uint32 tiles = (uint32)((args.chunk + kQueryRows - 1) / kQueryRows);  // of a chunk
  const RowTile tile(tiles, true);
  const int64 batch = tile.head / args.query_heads;
  const int64 query_head = tile.head % args.query_heads;
  const int64 head = query_head / (args.query_heads / args.key_heads);
  const Sequence sequence = sequence_of(args, batch);

  QueryRange range;
  range.chunk = tile.index / tiles;
  range.row = range.chunk * args.chunk + tile.index % tiles * kQueryRows;
  range.end = min(min(range.row + kQueryRows, (range.chunk + 1) * args.chunk), sequence.tokens);
  if (range.row >= range.end) return;
  range.first = state_start(args, sequence, range.chunk);
  range.k = head_rows(args.k, args.k_strides, sequence, batch, head);
  range.v = head_rows(args.v, args.v_strides, sequence, batch, head);
  range.k_stride = args.k_strides.token;
  range.v_stride = args.v_strides.token;
  range.k_aligned = is_aligned(args.k, args.k_strides);
  range.v_aligned = is_aligned(args.v, args.v_strides);
#if GATED
  range.gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  load_rows(shared.q, head_rows(args.q, args.q_strides, sequence, batch, query_head),
            args.q_strides.token, range.row, range.end, kQueryRows, kQueryThreads,
            is_aligned(args.q, args.q_strides));
  load_rows(shared.dy, head_rows(args.dy, args.dy_strides, sequence, batch, query_head),
            args.dy_strides.token, range.row, range.end, kQueryRows, kQueryThreads,
            is_aligned(args.dy, args.dy_strides));
  copy_commit();

  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  const int warp_row = threadIdx.x / 32 * 16;
#if GATED || NORMALIZED
  const int64 rows = query_head * args.all_tokens + sequence.rows;
#endif
  LaneRows lane_rows;
  for (int r = 0; r < 2; r++) {
    lane_rows.token[r] = range.row + warp_row + r * 8 + g;
#if GATED || NORMALIZED
    const int64 token = min(lane_rows.token[r], range.end - 1);
#endif
#if NORMALIZED
    lane_rows.scales[r] = args.row_scales[rows + token];
    lane_rows.deltas[r] = args.row_deltas[rows + token];
#else
    lane_rows.scales[r] = (float)args.output_scale;
    lane_rows.deltas[r] = 0;
#endif
#if GATED
    lane_rows.gates[r] = gate_of(range.gate_sum[token] - range.gate_sum[range.row]);
#endif
  }

  float state_sums[2] = {};
  const bool with_state = range.chunk > 0 || args.initial_sums != nullptr;
  if (with_state) {
    for (int r = 0; r < 2; r++) {
      float* dq = shared.dq[warp_row + r * 8 + g];
      for (int n = 0; n < kHeadDim / 8; n++) dq[n * 8 + 2 * t] = dq[n * 8 + 2 * t + 1] = 0;
    }
    read_from_state(shared, lane_rows,
                    Snapshot::state(args, chunk_place(args, sequence, head, range.chunk)));
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const int row = warp_row + r * 8 + g;
      float factor = lane_rows.scales[r];
#if GATED
      // From its start to row i the state decays by exp(G_i).
      factor *= expf((float)(range.gate_sum[min(lane_rows.token[r], range.end - 1)] -
                             gate_before(args, range.gate_sum, range.chunk)));
#endif
      const float* joint = query_joint(args, tile.head, range.chunk, lane_rows.token[r]);
      for (int n = 0; n < kHeadDim / 8; n++) {
        for (int e = 0; e < 2; e++) {
          const int column = n * 8 + 2 * t + e;
          const float dq = (joint == nullptr ? shared.dq[row][column] : joint[column]) * factor;
          shared.dq[row][column] = dq;
          state_sums[r] = fmaf(float_of(shared.q[row][column]), dq, state_sums[r]);
        }
      }
    }
  }

  float dq[kHeadDim / 8][4] = {};
  float sums[2] = {};
  int stage = 0;
  load_keys(args, shared.keys[0], range, range.first);
  int64 first = range.first;
#pragma unroll 1
  for (; first < range.row; first += kQueryKeys) {
    copy_wait();
    __syncthreads();  // this step's keys (and q and dy) have arrived; the last ones are read
    load_keys(args, shared.keys[stage ^ 1], range, first + kQueryKeys);
    attend_keys<false>(dq, sums, shared, shared.keys[stage], lane_rows, 0);
    stage ^= 1;
  }
#if GATED
  for (int r = 0; r < 2; r++) {
    const float factor = expf(lane_rows.gates[r].high);
    sums[r] *= factor;
    for (int n = 0; n < kHeadDim / 8; n++) {
      dq[n][2 * r] *= factor;
      dq[n][2 * r + 1] *= factor;
    }
  }
#endif
#pragma unroll 1
  for (; first < range.end; first += kQueryKeys) {
    copy_wait();
    __syncthreads();  // this step's keys (and q and dy) have arrived; the last ones are read
    if (first + kQueryKeys < range.end) {
      load_keys(args, shared.keys[stage ^ 1], range, first + kQueryKeys);
    }
    attend_keys<true>(dq, sums, shared, shared.keys[stage], lane_rows, (int)(range.row - first));
    stage ^= 1;
  }

  element* target = head_rows(args.dq, args.dq_strides, sequence, batch, query_head);
  const bool aligned = is_aligned(args.dq, args.dq_strides);
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const float direct_sum = row_sum(sums[r]) * lane_rows.scales[r];
    const float state_sum = row_sum(state_sums[r]) * (1.0f / kDegree);
    const int64 token = lane_rows.token[r];
    if (token >= range.end) continue;
    const float factor = lane_rows.scales[r] * (float)kDegree;
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
      const float* state = &shared.dq[warp_row + r * 8 + g][n * 8 + 2 * t];
      write_two(target + token * args.dq_strides.token + n * 8 + 2 * t,
                dq[n][2 * r] * factor + (with_state ? state[0] : 0.0f),
                dq[n][2 * r + 1] * factor + (with_state ? state[1] : 0.0f), aligned);
    }
#if GATED
    if (t == 0) {
      args.query_sums[rows + token] = direct_sum;
      args.query_state_sums[rows + token] = state_sum;
    }
#endif
  }
}
