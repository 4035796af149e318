#pragma once

// Whether keys and values can be read 16 bytes at a time.
__device__ __forceinline__ bool keys_are_aligned(const Arguments& args) {
  return is_aligned(args.k, args.k_strides) && is_aligned(args.v, args.v_strides);
}

// Starts loading the next step's keys and values, which begin `first` tokens behind the block's
// first query.
__device__ __forceinline__ void load_keys(
    const Arguments& args, GradientShared& shared, int stage, int first, const Group& group,
    bool aligned) {
  load_tokens(shared.tokens[stage], shared.sources[threadIdx.x], args.k_strides.token,
              args.v_strides.token, group.rows - first, aligned, kColumns * args.k_strides.token,
              kColumns * args.v_strides.token);
}

#if GATED
// What gate_sum has of this thread's key of a step. It is loaded a step before it is needed, and
// nothing is done with it until then, so that no warp waits for it.
__device__ __forceinline__ double load_gate(
    const Arguments& args, const BlockPlace& place, int first) {
  if (threadIdx.x % 128 >= kColumns) return 0;
  const int64 token = min(place.row + first + (int)threadIdx.x % 128, place.end - 1);
  return args.gate_sum[place.gate_place + token];
}

// Writes exp(G_row - G_j) of keys before the group's first row; on the diagonal, G_j from there on.
__device__ __forceinline__ void write_terms(
    const Arguments& args, ColumnTerms& terms, const BlockPlace& place, int first, double gate,
    const Group& group) {
  const int j = threadIdx.x % 128;
  if (j >= kColumns) return;
  if (place.precedes_chunk(args, first + j)) gate -= place.before;
  gate -= place.references[group.index];
  if (first < group.first()) {
    terms.factors[j] = fast_exp((float)-gate);
  } else if (first == group.first()) {
    terms.gates[j] = gate_of(gate);
  }
}
#endif

// dq += sum over a step's keys of s^(p - 1) exp(G_i - G_j) (<dy_i, v_j> - <dy_i, y_i>) k_j, and the
// same times s_ij without k_j to `sums`, but for the key j = i. On the diagonal, where the step
// holds keys of the group's own rows, later keys are masked; before it, the factor
// exp(G_i - G_row) is left out. `meanwhile` is called while the products for the scores are under
// way.
template <bool kDiagonal, typename Meanwhile>
__device__ __forceinline__ void attend_keys(
    Rows& dq, float (&sums)[2], const float (&deltas)[2], const GradientShared& shared,
    const ColumnTokens& tokens, const ColumnTerms& terms, const Group& group,
    Meanwhile meanwhile) {
  const int t = threadIdx.x % 4;
  const int row = group.lane_row(0) % 64;
  float scores[32];
  float products[32];  // <dy_i, v_j>
  wgmma_fence();
  multiply_rows(scores, shared.x + group.first() * kPanelColumns, tokens.x);
  multiply_rows(products, shared.u + group.first() * kPanelColumns, tokens.u);
  wgmma_commit();
  meanwhile();
  wgmma_wait<0>();
  wgmma_results(scores);
  wgmma_results(products);
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++) {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      const float score = scores[n * 4 + c];
      const int j = n * 8 + 2 * t + c % 2;
      float ds = slope(score);
#if NORMALIZED
      ds *= products[n * 4 + c] - deltas[c / 2];
#else
      ds *= products[n * 4 + c];
#endif
      if (kDiagonal) {
        const int i = row + c / 2 * 8;
#if GATED
        ds *= fast_gate_factor(terms.gates[i], terms.gates[j]);
#endif
        if (j > i) ds = 0;
        if (j < i) sums[c / 2] = fmaf(score, ds, sums[c / 2]);
      } else {
#if GATED
        ds *= terms.factors[j];
#endif
        sums[c / 2] = fmaf(score, ds, sums[c / 2]);
      }
      scores[n * 4 + c] = ds;
    }
  }
  dq.add_products(scores, tokens.x);
}

// r_i of this lane's queries.
__device__ __forceinline__ void load_scales(
    float (&scales)[2], const Arguments& args, const BlockPlace& place, const Group& group) {
  for (int r = 0; r < 2; r++) {
#if NORMALIZED
    scales[r] = args.row_scales[place.row_place + place.row + group.valid_row(r)];
#else
    scales[r] = (float)args.output_scale;
#endif
  }
}

// dq of kGradientRows tokens of one query head; each warpgroup has 64 rows. First the state's part: its slabs pass
// through shared memory while dphi = S dy is contracted with q. Then the chunk's keys, step by step.
// Two sums of c_ij over j < i are left for gate_gradients, through the state and directly:
// sum_j c_ij = <q_i, dq_i> / p, since a power is homogeneous.
// Grid (row tiles of the longest sequence, batch * query_heads).
extern "C" __global__ __launch_bounds__(kGradientThreads, kGradientBlocks)
void query_gradients(const __grid_constant__ Arguments args) {
  GradientShared& shared = *reinterpret_cast<GradientShared*>(shared_memory);
  BlockPlace& place = shared.place;
  const uint32 query_heads = (uint32)args.query_heads;
  const uint32 tiles = (uint32)((args.chunk + kGradientRows - 1) / kGradientRows);  // of a chunk
  const RowTile tile(tiles, true);
  const int64 batch = (uint32)tile.head / query_heads;
  const int64 query_head = (uint32)tile.head % query_heads;
  const int64 head = (uint32)query_head / (query_heads / (uint32)args.key_heads);
  const Sequence sequence = sequence_of(args, batch);
  const int64 chunk = tile.index / tiles;
  const int64 block_row = chunk * args.chunk + tile.index % tiles * kGradientRows;
  const int64 block_end =
      min(min(block_row + kGradientRows, (chunk + 1) * args.chunk), sequence.tokens);
  if (block_row >= block_end) return;

  const Group group((int)(block_end - block_row));
  const int first_key = (int)(state_start(args, sequence, chunk) - block_row);
  const bool with_state = chunk > 0 || args.initial_sums != nullptr;
  const int64 snapshot = chunk_place(args, sequence, head, chunk);
  SlabRing ring(shared, args.states + snapshot * kStateBytes,
                kStateSlab * sizeof(element));
  if (with_state && threadIdx.x == 0) ring.start();
  load_image<kGradientRows>(
      shared.x,
      head_rows(args.q, args.q_strides, sequence, batch, query_head) +
          (block_row + copied_row()) * args.q_strides.token + copied_column(),
      args.q_strides.token, group.rows, is_aligned(args.q, args.q_strides));
  load_image<kGradientRows>(
      shared.u,
      head_rows(args.dy, args.dy_strides, sequence, batch, query_head) +
          (block_row + copied_row()) * args.dy_strides.token + copied_column(),
      args.dy_strides.token, group.rows, is_aligned(args.dy, args.dy_strides));
  copy_commit();
  if (threadIdx.x == 0) {
    place.head = tile.head;
    place.chunk = chunk;
    place.row = block_row;
    place.end = block_end;
    place.target = head_rows(args.dq, args.dq_strides, sequence, batch, query_head) - args.dq;
    place.row_place = query_head * args.all_tokens + sequence.rows;
#if GATED
    place.gate_place = token_place(args, sequence, head);
    const double* gate_sum = args.gate_sum + place.gate_place;
    place.before = chunk > 0 ? gate_sum[chunk * args.chunk - 1] : 0;
    for (int i = 0; i < kGroups; i++) {
      place.references[i] = gate_sum[min(block_row + i * 64, block_end - 1)];
    }
#endif
  }
  const int64 thread_key = block_row + first_key + copied_row();
  shared.sources[threadIdx.x] = ColumnSource{
      head_rows(args.k, args.k_strides, sequence, batch, head) +
          thread_key * args.k_strides.token + copied_column(),
      head_rows(args.v, args.v_strides, sequence, batch, head) +
          thread_key * args.v_strides.token + copied_column()};
#if NORMALIZED
  if (with_state) {
    write_key_sums(shared, args.state_key_sums + snapshot * kFeatures);
  }
#endif
  copy_wait();
  fence_async_reads();
  __syncthreads();  // q and dy have arrived; `place`, M and the ring's barriers are there

  float deltas[2] = {};  // <dy_i, y_i>
#if NORMALIZED
  for (int r = 0; r < 2; r++) {
    deltas[r] = args.row_deltas[place.row_place + place.row + group.valid_row(r)];
  }
#endif
  float scales[2];
  float state_sums[2] = {};  // <q_i, dq_i> of the state's part
  if (with_state) {
#if NORMALIZED
    const float weights[2] = {-deltas[0], -deltas[1]};
    contract_key_sums(shared, weights, group);
#else
    clear_dx(shared);
#endif
    contract_state(shared, ring, group);
    if (args.query_joints != nullptr) {
      for (int r = 0; r < 2; r++) {
        take_joint(shared, r,
                   query_joint(args, place.head, place.chunk, place.row + group.lane_row(r)));
      }
    }
    load_scales(scales, args, place, group);
#if GATED
    const double* gate_sum = args.gate_sum + place.gate_place;
    for (int r = 0; r < 2; r++) {
      // From its start to row i the state decays by exp(G_i).
      scales[r] *= fast_exp((float)(gate_sum[place.row + group.valid_row(r)] -
                                    gate_before(args, gate_sum, place.chunk)));
    }
#endif
    scale_dx(state_sums, shared, scales, group);
    __syncthreads();  // the slabs are read
  }

  Rows dq;
  dq.clear();
  float sums[2] = {};
  load_keys(args, shared, 0, first_key, group, keys_are_aligned(args));
#if GATED
  write_terms(args, shared.terms[0][group.index], place, first_key,
              load_gate(args, place, first_key), group);
  double next_gate = load_gate(args, place, first_key + kColumns);
#endif
  int stage = 0;
  // The last step has the keys of the last group's own rows.
#pragma unroll 1
  for (int first = first_key; first < group.rows; first += kColumns) {
    copy_wait();
    fence_async_reads();
    __syncthreads();  // this step's keys have arrived; the last ones are read
    const bool more = first + kColumns < group.rows;
#if GATED
    if (more) {
      write_terms(args, shared.terms[stage ^ 1][group.index], place, first + kColumns, next_gate,
                  group);
      next_gate = load_gate(args, place, first + 2 * kColumns);
    }
#endif
    // A call of a function would not leave alone the registers that products are adding to.
    const bool aligned = keys_are_aligned(args);
    if (more && !aligned) load_keys(args, shared, stage ^ 1, first + kColumns, group, false);
    const auto load_next = [&] {
      if (more && aligned) load_keys(args, shared, stage ^ 1, first + kColumns, group, true);
    };
    const ColumnTerms& terms = shared.terms[stage][group.index];
    if (group.active && first < group.first()) {
      attend_keys<false>(dq, sums, deltas, shared, shared.tokens[agreed(stage)], terms, group,
                         load_next);
    } else if (group.active && first == group.first()) {
#if GATED
      const float factors[2] = {fast_exp(terms.gates[group.lane_row(0) % 64].high),
                                fast_exp(terms.gates[group.lane_row(1) % 64].high)};
      dq.scale(factors);
      for (int r = 0; r < 2; r++) sums[r] *= factors[r];
#endif
      attend_keys<true>(dq, sums, deltas, shared, shared.tokens[agreed(stage)], terms, group,
                        load_next);
    } else {
      load_next();
    }
    stage ^= 1;
  }

  load_scales(scales, args, place, group);
#if GATED
  for (int r = 0; r < 2; r++) {
    sums[r] *= scales[r];
    state_sums[r] *= 1.0f / kDegree;
  }
  write_sums(args.query_sums, sums, place, group);
  write_sums(args.query_state_sums, state_sums, place, group);
#endif
  for (int r = 0; r < 2; r++) scales[r] *= kDegree;
  dq.scale(scales);
  if (with_state) add_dx(dq, shared);
  write_gradient(dq, args.dq, place, args.dq_strides.token, is_aligned(args.dq, args.dq_strides),
                 group);
}
