#pragma once

// Queries of a step whose scores a warp holds.
constexpr int kKeyStep = kHeadDim > 64 || kKeyQueries < 32 ? 16 : 32;

struct KeyQueries {
  element q[kKeyQueries][kRowStride];
  element dy[kKeyQueries][kRowStride];
  Gate gates[kKeyQueries];     // from the block's last key on
  float scales[kKeyQueries];   // r_i; of queries behind the block's keys, r_i exp(G_i - G_last)
  float deltas[kKeyQueries];   // <dy_i, y_i>
};

struct KeyShared {
  element k[kKeyRows][kRowStride];
  element v[kKeyRows][kRowStride];
  float dk[kKeyRows][kRowStride];  // from the state's gradient
  union {
    Slab slabs[kKeyStages];
    KeyQueries queries[2];
  };
};
static_assert(sizeof(KeyShared) == kKeySharedBytes, "the launch must match");

// What a block needs to know of its keys and of the queries that meet them directly: those of the
// chunk whose state leaves them out first.
struct KeyRange {
  int64 chunk;  // its state_start is at or before the keys, the next one's behind them
  int64 row;    // token of the block's first key
  int64 end;    // one past its last key
  int64 last_query;  // one past the last query
#if GATED
  const double* gate_sum;
#endif
};

struct KeyGradients {
  float dk[kHeadDim / 8][4];
  float dv[kHeadDim / 8][4];
  float sums[2];  // this lane's share of sum_i c_ij of its two keys
};

// From the gradient of the state: dv = phi(k) dS, and dk = dphi = dS v + dz, contracted with k.
__device__ __forceinline__ void read_from_gradient(
    KeyGradients& gradients, KeyShared& shared, const Snapshot& snapshot) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  const int row = threadIdx.x / 32 * 16;
  ContractionRows rows;
  for (int r = 0; r < 2; r++) {
    rows.x[r] = shared.k[row + g + r * 8];
    rows.dx[r] = shared.dk[row + g + r * 8];
  }
  FeatureBlock block;
  for_each_slab(shared.slabs, snapshot, kKeyThreads, [&](const Slab& slab, int first) {
    FeatureBlock features = block;
#pragma unroll
    for (int b = 0; b < kSlab / 16; b++) {
      if (kFeatures % kSlab != 0 && first + b * 16 >= kFeatures) break;
      Pair a[4];
      query_features(a, rows.x[0], rows.x[1], features, t);
      features.advance();
#pragma unroll
      for (int m = 0; m < kHeadDim / 16; m++) {
        Pair columns[2][2];
        load_pairs_b_transposed(columns, slab.sums, b * 16, m * 16);
        multiply_add(gradients.dv[2 * m], a, columns[0][0], columns[0][1]);
        multiply_add(gradients.dv[2 * m + 1], a, columns[1][0], columns[1][1]);
      }
    }
    float dphi[kSlab / 8][4];
#pragma unroll
    for (int n = 0; n < kSlab / 8; n++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
#if NORMALIZED
        dphi[n][c] = slab.key_sums[n * 8 + 2 * t + c % 2];
#else
        dphi[n][c] = 0;
#endif
      }
    }
    multiply_slab(dphi, shared.v, row, slab);
    contract(dphi, rows, block, first);
  });
}

// Starts loading a tile of queries of one head, and what belongs to their rows.
__device__ __forceinline__ void load_queries(
    const Arguments& args, KeyQueries& queries, const KeyRange& range, const Sequence& sequence,
    int64 batch, int64 query_head, int64 first) {
  load_rows(queries.q, head_rows(args.q, args.q_strides, sequence, batch, query_head),
            args.q_strides.token, first, range.last_query, kKeyQueries, kKeyThreads,
            is_aligned(args.q, args.q_strides));
  load_rows(queries.dy, head_rows(args.dy, args.dy_strides, sequence, batch, query_head),
            args.dy_strides.token, first, range.last_query, kKeyQueries, kKeyThreads,
            is_aligned(args.dy, args.dy_strides));
  copy_commit();
  if (threadIdx.x < kKeyQueries) {
    const int64 token = first + threadIdx.x;
    const bool valid = token < range.last_query;
#if NORMALIZED
    const int64 row = query_head * args.all_tokens + sequence.rows + (valid ? token : 0);
#endif
    float scale = (float)args.output_scale;
    float delta = 0;
#if NORMALIZED
    scale = args.row_scales[row];
    delta = args.row_deltas[row];
#endif
#if GATED
    const double gate =
        gate_at(args, range.gate_sum, range.chunk, valid ? token : range.last_query - 1) -
        gate_at(args, range.gate_sum, range.chunk, range.end - 1);
    queries.gates[threadIdx.x] = gate_of(gate);
    if (token >= range.end) scale *= expf((float)gate);
#endif
    queries.scales[threadIdx.x] = valid ? scale : 0.0f;
    queries.deltas[threadIdx.x] = delta;
  }
}

// dv_j += sum_i w_ij r_i dy_i and dk_j += sum_i s^(p - 1) exp(G_i - G_j) r_i
// (<dy_i, v_j> - <dy_i, y_i>) q_i over a tile of queries, and the latter times s_ij without q_i to
// the sums, but for the query i = j. On the diagonal, where the tile holds queries of the block's
// own tokens, earlier queries are masked; behind it, the factor exp(G_last - G_j) is left out.
template <bool kDiagonal>
__device__ __forceinline__ void attend_queries(
    KeyGradients& gradients, const KeyShared& shared, const KeyQueries& queries,
    const Gate (&gates)[2], int diagonal) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  const int row = threadIdx.x / 32 * 16;
#pragma unroll 1
  for (int query = 0; query < kKeyQueries; query += kKeyStep) {
    // Query i of the tile is at or after key j of the block where i + diagonal >= j.
    if (kDiagonal && query + kKeyStep - 1 + diagonal < row) continue;
    float scores[kKeyStep / 8][4] = {};    // key by query
    float products[kKeyStep / 8][4] = {};  // <v_j, dy_i>
#pragma unroll
    for (int column = 0; column < kHeadDim; column += 16) {
      ElementPair k[4];
      ElementPair v[4];
      load_a(k, shared.k, row, column);
      load_a(v, shared.v, row, column);
#pragma unroll
      for (int n = 0; n < kKeyStep / 16; n++) {
        ElementPair b[2][2];
        load_b(b, queries.q, query + n * 16, column);
        multiply_elements(scores[2 * n], k, b[0][0], b[0][1]);
        multiply_elements(scores[2 * n + 1], k, b[1][0], b[1][1]);
        load_b(b, queries.dy, query + n * 16, column);
        multiply_elements(products[2 * n], v, b[0][0], b[0][1]);
        multiply_elements(products[2 * n + 1], v, b[1][0], b[1][1]);
      }
    }
#pragma unroll
    for (int n = 0; n < kKeyStep / 8; n++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        const float score = scores[n][c];
        const int i = query + n * 8 + 2 * t + c % 2;
        float factor = slope(score) * queries.scales[i];
        bool spans = true;
        if (kDiagonal) {
          const int j = row + c / 2 * 8 + g;
#if GATED
          factor *= gate_factor(queries.gates[i], gates[c / 2]);
#endif
          if (i + diagonal < j) factor = 0;
          spans = i + diagonal > j;
        }
#if NORMALIZED
        const float ds = factor * (products[n][c] - queries.deltas[i]);
#else
        const float ds = factor * products[n][c];
#endif
        if (spans) gradients.sums[c / 2] = fmaf(score, ds, gradients.sums[c / 2]);
        scores[n][c] = score * factor;
        products[n][c] = ds;
      }
    }
#pragma unroll
    for (int n = 0; n < kKeyStep / 16; n++) {
      Pair a[4];
      operand_of(a, scores[2 * n], scores[2 * n + 1]);
      multiply_rows(gradients.dv, a, queries.dy, query + n * 16);
      operand_of(a, products[2 * n], products[2 * n + 1]);
      multiply_rows(gradients.dk, a, queries.q, query + n * 16);
    }
  }
}

// Adds what the queries of one head do to the keys: on the diagonal those of the block's own tokens,
// else those behind them.
template <bool kDiagonal>
__device__ __forceinline__ void attend_head(
    const Arguments& args, KeyGradients& gradients, KeyShared& shared, const KeyRange& range,
    const Sequence& sequence, int64 batch, int64 query_head, const Gate (&gates)[2]) {
  const int64 first_query = kDiagonal ? range.row : range.row + kKeyRows;
  const int64 end = kDiagonal ? range.end : range.last_query;
  if (first_query >= end) return;
  int stage = 0;
  load_queries(args, shared.queries[0], range, sequence, batch, query_head, first_query);
#pragma unroll 1
  for (int64 first = first_query; first < end; first += kKeyQueries) {
    copy_wait();
    __syncthreads();  // this tile (and k and v) has arrived; the last one is read
    if (first + kKeyQueries < end) {
      load_queries(args, shared.queries[stage ^ 1], range, sequence, batch, query_head,
                   first + kKeyQueries);
    }
    attend_queries<kDiagonal>(gradients, shared, shared.queries[stage], gates,
                              (int)(first - range.row));
    stage ^= 1;
  }
  __syncthreads();  // the last tile is read
}

// dk and dv of kKeyRows tokens of one key/value head, over all query heads that read it. Two sums
// of c_ij over i > j are left for gate_gradients, through the state and directly.
// Grid (row tiles of the longest sequence, batch * key_heads).
extern "C" __global__ __launch_bounds__(kKeyThreads, kKeyBlocks)
void key_gradients(const __grid_constant__ Arguments args) {
  KeyShared& shared = *reinterpret_cast<KeyShared*>(shared_memory);
  const RowTile tile((uint32)((args.chunk + kKeyRows - 1) / kKeyRows), false);
  const int64 batch = tile.head / args.key_heads;
  const int64 head = tile.head % args.key_heads;
  const int64 group = args.query_heads / args.key_heads;
  const Sequence sequence = sequence_of(args, batch);

  KeyRange range;
  range.row = tile.index * kKeyRows;
  range.end = min(range.row + kKeyRows, sequence.tokens);
  if (range.row >= range.end) return;
  range.chunk = range.row / args.chunk;
  if (range.row >= state_start(args, sequence, range.chunk + 1)) range.chunk++;
  range.last_query = min((range.chunk + 1) * args.chunk, sequence.tokens);
#if GATED
  range.gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  load_rows(shared.k, head_rows(args.k, args.k_strides, sequence, batch, head),
            args.k_strides.token, range.row, range.end, kKeyRows, kKeyThreads,
            is_aligned(args.k, args.k_strides));
  load_rows(shared.v, head_rows(args.v, args.v_strides, sequence, batch, head),
            args.v_strides.token, range.row, range.end, kKeyRows, kKeyThreads,
            is_aligned(args.v, args.v_strides));
  copy_commit();

  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  const int warp_row = threadIdx.x / 32 * 16;
  Gate gates[2];           // G_j from the block's last key on
  float own_factors[2] = {1, 1};  // exp(G_last - G_j)
  float behind_factor = 1;        // exp(G - G_last) at the next state_start
#if GATED
  for (int r = 0; r < 2; r++) {
    const int64 token = min(range.row + warp_row + r * 8 + g, range.end - 1);
    const double gate = gate_at(args, range.gate_sum, range.chunk, token) -
                        gate_at(args, range.gate_sum, range.chunk, range.end - 1);
    gates[r] = gate_of(gate);
    own_factors[r] = expf((float)-gate);
  }
  behind_factor =
      expf((float)(gate_at(args, range.gate_sum, range.chunk,
                           state_start(args, sequence, range.chunk + 1) - 1) -
                   gate_at(args, range.gate_sum, range.chunk, range.end - 1)));
#endif

  KeyGradients gradients{};
  float state_sums[2] = {};
  const bool with_state =
      range.chunk + 1 < sequence.chunks || args.final_gradient != nullptr;
  if (with_state) {
    for (int r = 0; r < 2; r++) {
      float* dk = shared.dk[warp_row + r * 8 + g];
      for (int n = 0; n < kHeadDim / 8; n++) dk[n * 8 + 2 * t] = dk[n * 8 + 2 * t + 1] = 0;
    }
    read_from_gradient(
        gradients, shared,
        Snapshot::gradient(args, chunk_place(args, sequence, head, range.chunk)));
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const int row = warp_row + r * 8 + g;
      const float* joint = key_joint(args, sequence, tile.head, range.row + row);
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const int column = n * 8 + 2 * t + e;
          if (joint != nullptr) {
            shared.dk[row][column] = joint[column];
            gradients.dv[n][2 * r + e] = joint[kHeadDim + column];
          }
          const float dk = shared.dk[row][column] * (own_factors[r] * behind_factor);
          shared.dk[row][column] = dk;
          state_sums[r] = fmaf(float_of(shared.k[row][column]), dk, state_sums[r]);
          gradients.dv[n][2 * r + e] *= behind_factor;
        }
      }
    }
  }

  for (int64 query_head = head * group; query_head < (head + 1) * group; query_head++) {
    attend_head<false>(args, gradients, shared, range, sequence, batch, query_head, gates);
  }
  for (int r = 0; r < 2; r++) {
    gradients.sums[r] *= own_factors[r];
    for (int n = 0; n < kHeadDim / 8; n++) {
      for (int e = 0; e < 2; e++) {
        gradients.dk[n][2 * r + e] *= own_factors[r];
        gradients.dv[n][2 * r + e] *= own_factors[r];
      }
    }
  }
  for (int64 query_head = head * group; query_head < (head + 1) * group; query_head++) {
    attend_head<true>(args, gradients, shared, range, sequence, batch, query_head, gates);
  }

  element* dk = head_rows(args.dk, args.dk_strides, sequence, batch, head);
  element* dv = head_rows(args.dv, args.dv_strides, sequence, batch, head);
  const bool dk_aligned = is_aligned(args.dk, args.dk_strides);
  const bool dv_aligned = is_aligned(args.dv, args.dv_strides);
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const float direct_sum = row_sum(gradients.sums[r]);
    const float state_sum = row_sum(state_sums[r]) * (1.0f / kDegree);
    const int64 token = range.row + warp_row + r * 8 + g;
    if (token >= range.end) continue;
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++) {
      const float* state = &shared.dk[warp_row + r * 8 + g][n * 8 + 2 * t];
      write_two(dk + token * args.dk_strides.token + n * 8 + 2 * t,
                gradients.dk[n][2 * r] * (float)kDegree + (with_state ? state[0] : 0.0f),
                gradients.dk[n][2 * r + 1] * (float)kDegree + (with_state ? state[1] : 0.0f),
                dk_aligned);
      write_two(dv + token * args.dv_strides.token + n * 8 + 2 * t, gradients.dv[n][2 * r],
                gradients.dv[n][2 * r + 1], dv_aligned);
    }
#if GATED
    if (t == 0) {
      const int64 row = token_place(args, sequence, head) + token;
      args.key_sums[row] = direct_sum;
      args.key_state_sums[row] = state_sum;
    }
#endif
  }
}
