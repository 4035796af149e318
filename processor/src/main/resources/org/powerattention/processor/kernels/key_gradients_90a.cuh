#pragma once

// What a block of keys meets, one step after another: 64 queries of one head, the last ones first,
// of each head before those before them. So each group meets the queries of its own tokens last.
struct QueryStep {
  int first;   // of the queries, counted from the block's first key; below 0 behind the last step
  int member;  // of the query heads that read the key/value head

  __device__ __forceinline__ void advance(int heads) {
    if (++member < heads) return;
    member = 0;
    first -= kColumns;
  }
};

// Whether queries and dy can be read 16 bytes at a time.
__device__ __forceinline__ bool queries_are_aligned(const Arguments& args) {
  return is_aligned(args.q, args.q_strides) && is_aligned(args.dy, args.dy_strides);
}

// Starts loading the queries of a step, the next one, and their dy.
__device__ __forceinline__ void load_queries(
    const Arguments& args, GradientShared& shared, int stage, const QueryStep& step, int heads,
    bool aligned) {
  const bool last_head = step.member + 1 == heads;
  const int64 heads_back = heads - 1;
  load_tokens(
      shared.tokens[stage], shared.sources[threadIdx.x], args.q_strides.token,
      args.dy_strides.token, (int)(shared.place.end - shared.place.row) - step.first, aligned,
      last_head ? -heads_back * args.q_strides.head - kColumns * args.q_strides.token
                : args.q_strides.head,
      last_head ? -heads_back * args.dy_strides.head - kColumns * args.dy_strides.token
                : args.dy_strides.head);
}

// Of this thread's query of a step. It is loaded a step before it is needed, and nothing is done
// with it until then, so that no warp waits for it.
struct QueryTerms {
  float scale;  // r_i
  float delta;  // <dy_i, y_i>
  double gate;  // what gate_sum has
};

__device__ __forceinline__ QueryTerms load_terms(
    const Arguments& args, const BlockPlace& place, const QueryStep& step) {
  QueryTerms terms{};
  if (step.first < 0 || threadIdx.x % 128 >= kColumns) return terms;
  const int64 token = min(place.row + step.first + (int)threadIdx.x % 128, place.end - 1);
#if NORMALIZED
  const int64 row = place.column_place + step.member * args.all_tokens + token;
  terms.scale = args.row_scales[row];  // behind the last token, of no account: q and dy are zero
  terms.delta = args.row_deltas[row];
#else
  terms.scale = (float)args.output_scale;
#endif
#if GATED
  terms.gate = args.gate_sum[place.gate_place + token];
#endif
  return terms;
}

// Writes r_i, of queries behind the group's keys times exp(G_i - G_last); on the diagonal, also G_i
// from the group's last key on.
__device__ __forceinline__ void write_terms(
    const Arguments& args, ColumnTerms& column, const BlockPlace& place, const QueryStep& step,
    const QueryTerms& terms, const Group& group) {
  const int i = threadIdx.x % 128;
  if (i >= kColumns) return;
  float factor = terms.scale;
#if GATED
  double gate = terms.gate - place.references[group.index];
  if (place.precedes_chunk(args, step.first + i)) gate -= place.before;
  if (step.first > group.first()) {
    factor *= fast_exp((float)gate);
  } else {
    column.gates[i] = gate_of(gate);
  }
#endif
  column.factors[i] = factor;
  column.deltas[i] = terms.delta;
}

// kValues: dv_j += sum_i w_ij r_i dy_i over a step's queries. Otherwise dk_j += sum_i s^(p - 1)
// exp(G_i - G_j) r_i (<dy_i, v_j> - <dy_i, y_i>) q_i, and the same times s_ij without q_i to
// `sums`, but for the query i = j. On the diagonal, where the step holds queries of the group's own
// tokens, earlier queries are masked; behind it, the factor exp(G_last - G_j) is left out.
// `meanwhile` is called while the products for the scores are under way.
template <bool kValues, bool kDiagonal, typename Meanwhile>
__device__ __forceinline__ void attend_queries(
    Rows& gradient, float (&sums)[2], const GradientShared& shared, const ColumnTokens& tokens,
    const ColumnTerms& terms, const Group& group, Meanwhile meanwhile) {
  const int t = threadIdx.x % 4;
  const int row = group.lane_row(0) % 64;
  float scores[32];    // key by query
  float products[32];  // <v_j, dy_i>
  wgmma_fence();
  multiply_rows(scores, shared.x + group.first() * kPanelColumns, tokens.x);
  if (!kValues) multiply_rows(products, shared.u + group.first() * kPanelColumns, tokens.u);
  wgmma_commit();
  meanwhile();
  wgmma_wait<0>();
  wgmma_results(scores);
  if (!kValues) wgmma_results(products);
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++) {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      const float score = scores[n * 4 + c];
      const int i = n * 8 + 2 * t + c % 2;
      float factor = slope(score) * terms.factors[i];
      bool spans = true;
      if (kDiagonal) {
        const int j = row + c / 2 * 8;
#if GATED
        factor *= fast_gate_factor(terms.gates[i], terms.gates[j]);
#endif
        if (i < j) factor = 0;
        spans = i > j;
      }
      if (kValues) {
        scores[n * 4 + c] = score * factor;
      } else {
#if NORMALIZED
        const float ds = factor * (products[n * 4 + c] - terms.deltas[i]);
#else
        const float ds = factor * products[n * 4 + c];
#endif
        if (spans) sums[c / 2] = fmaf(score, ds, sums[c / 2]);
        scores[n * 4 + c] = ds;
      }
    }
  }
  gradient.add_products(scores, kValues ? tokens.u : tokens.x);
}

#if GATED
// exp(G_last - G_j) of this lane's keys.
__device__ __forceinline__ void load_own_factors(
    float (&factors)[2], const Arguments& args, const BlockPlace& place, const Group& group) {
  const double* gate_sum = args.gate_sum + place.gate_place;
  for (int r = 0; r < 2; r++) {
    factors[r] = fast_exp(
        (float)(place.references[group.index] -
                gate_at(args, gate_sum, place.chunk, place.row + group.valid_row(r))));
  }
}
#endif

// Calls body(r, joint) for this lane's rows g + 8 r that are tokens of a joint, with what joint_keys
// and joint_values have of them.
template <typename Body>
__device__ __forceinline__ void for_each_joint(
    const Arguments& args, const BlockPlace& place, const Group& group, Body body) {
  if (args.key_joints == nullptr) return;
  const Sequence sequence = sequence_of(args, place.head / (uint32)args.key_heads);
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const float* joint =
        key_joint(args, sequence, place.head, place.row + group.lane_row(r));
    if (joint != nullptr) body(r, joint);
  }
}

// dk (or dv, kValues) of kGradientRows tokens of one key/value head, which lie between two chunks'
// state_starts, over all query heads that read it. Each warpgroup has 64 keys. First the part of the
// state's gradient: its slabs pass through shared memory, while dphi = dS v is contracted with k, or
// phi(k) dS summed. Then the queries, 64 at a step.
template <bool kValues>
__device__ __forceinline__ void key_gradients_of(const Arguments& args, GradientShared& shared) {
  BlockPlace& place = shared.place;
  const uint32 key_heads = (uint32)args.key_heads;
  const uint32 tiles = (uint32)((args.chunk + kGradientRows - 1) / kGradientRows);  // of a chunk
  const RowTile tile(tiles, false);
  const int64 batch = (uint32)tile.head / key_heads;
  const int64 head = (uint32)tile.head % key_heads;
  const int heads = (uint32)args.query_heads / key_heads;
  const Sequence sequence = sequence_of(args, batch);
  // The last chunk has up to kOverlap keys more, which may take one tile more.
  const int64 chunk = max(min(tile.index / tiles, sequence.chunks - 1), (int64)0);
  const int64 behind = state_start(args, sequence, chunk + 1);
  const int64 block_row =
      state_start(args, sequence, chunk) + (tile.index - chunk * tiles) * kGradientRows;
  const int64 block_end = min(block_row + kGradientRows, behind);
  if (block_row >= block_end) return;

  const Group group((int)(block_end - block_row));
  const bool with_state = chunk + 1 < sequence.chunks || args.final_gradient != nullptr;
  SlabRing ring(
      shared,
      args.state_gradients + chunk_place(args, sequence, head, chunk) * kSnapshotBytes,
      kGradientSlab * sizeof(element));
  if (with_state && threadIdx.x == 0) ring.start();
  load_image<kGradientRows>(
      shared.x,
      head_rows(args.k, args.k_strides, sequence, batch, head) +
          (block_row + copied_row()) * args.k_strides.token + copied_column(),
      args.k_strides.token, group.rows, is_aligned(args.k, args.k_strides));
  if (!kValues) {
    load_image<kGradientRows>(
        shared.u,
        head_rows(args.v, args.v_strides, sequence, batch, head) +
            (block_row + copied_row()) * args.v_strides.token + copied_column(),
        args.v_strides.token, group.rows, is_aligned(args.v, args.v_strides));
  }
  copy_commit();
  if (threadIdx.x == 0) {
    place.head = tile.head;
    place.chunk = chunk;
    place.row = block_row;
    place.end = min((chunk + 1) * args.chunk, sequence.tokens);
    place.target = kValues
                       ? head_rows(args.dv, args.dv_strides, sequence, batch, head) - args.dv
                       : head_rows(args.dk, args.dk_strides, sequence, batch, head) - args.dk;
    place.row_place = token_place(args, sequence, head);
    place.column_place = head * heads * args.all_tokens + sequence.rows;
#if GATED
    place.gate_place = place.row_place;
    const double* gate_sum = args.gate_sum + place.gate_place;
    place.before = chunk > 0 ? gate_sum[chunk * args.chunk - 1] : 0;
    for (int i = 0; i < kGroups; i++) {
      place.references[i] =
          gate_at(args, gate_sum, chunk, min(block_row + i * 64 + 63, block_end - 1));
    }
#endif
  }
  const int64 last_query = min((chunk + 1) * args.chunk, sequence.tokens);
  QueryStep step{(int)(last_query - 1 - block_row) / kColumns * kColumns, 0};
  const int64 thread_query = block_row + step.first + copied_row();
  shared.sources[threadIdx.x] = ColumnSource{
      head_rows(args.q, args.q_strides, sequence, batch, head * heads) +
          thread_query * args.q_strides.token + copied_column(),
      head_rows(args.dy, args.dy_strides, sequence, batch, head * heads) +
          thread_query * args.dy_strides.token + copied_column()};
#if NORMALIZED
  if (!kValues && with_state) {
    write_key_sums(shared, reinterpret_cast<const float*>(ring.snapshot + kGradientSums));
  }
#endif
  copy_wait();
  fence_async_reads();
  __syncthreads();  // k and v have arrived; `place`, M and the ring's barriers are there

  Rows gradient;
  gradient.clear();
  float state_sums[2] = {};  // <k_j, dk_j> of the part of the state's gradient
  if (with_state) {
    // exp(G - G_j) with G at the next state_start; of dv, exp(G - G_last).
    float factors[2] = {1, 1};
#if GATED
    const double* gate_sum = args.gate_sum + place.gate_place;
    const int64 from = place.row + (kValues ? min(group.first() + 64, group.rows) - 1 : 0);
    for (int r = 0; r < 2; r++) {
      const int64 token = kValues ? from : from + group.valid_row(r);
      factors[r] = fast_exp((float)(gate_at(args, gate_sum, place.chunk, behind - 1) -
                                gate_at(args, gate_sum, place.chunk, token)));
    }
#endif
    if (kValues) {
      read_state(gradient, shared, ring, group);
      for_each_joint(args, place, group, [&](int r, const float* joint) {
        joint += kHeadDim + threadIdx.x % 4 * 2;
#pragma unroll
        for (int n = 0; n < kHeadDim / 8; n++) {
          gradient.at(n, 2 * r) = joint[n * 8];
          gradient.at(n, 2 * r + 1) = joint[n * 8 + 1];
        }
      });
      gradient.scale(factors);
    } else {
#if NORMALIZED
      const float weights[2] = {1, 1};
      contract_key_sums(shared, weights, group);
#else
      clear_dx(shared);
#endif
      contract_state(shared, ring, group);
      for_each_joint(args, place, group,
                     [&](int r, const float* joint) { take_joint(shared, r, joint); });
      scale_dx(state_sums, shared, factors, group);
    }
    __syncthreads();  // the slabs are read
  }

  float sums[2] = {};
  QueryStep next = step;
  next.advance(heads);
  load_queries(args, shared, 0, step, heads, queries_are_aligned(args));
  write_terms(args, shared.terms[0][group.index], place, step, load_terms(args, place, step),
              group);
  QueryTerms next_terms = load_terms(args, place, next);
  int stage = 0;
#pragma unroll 1
  while (step.first >= 0) {
    copy_wait();
    fence_async_reads();
    __syncthreads();  // this step's queries have arrived; the last ones are read
    if (next.first >= 0) {
      write_terms(args, shared.terms[stage ^ 1][group.index], place, next, next_terms, group);
    }
    const QueryStep current = step;
    step = next;
    next.advance(heads);
    next_terms = load_terms(args, place, next);
    // A call of a function would not leave alone the registers that products are adding to.
    const bool aligned = queries_are_aligned(args);
    if (step.first >= 0 && !aligned) load_queries(args, shared, stage ^ 1, step, heads, false);
    const auto load_next = [&] {
      if (step.first >= 0 && aligned) load_queries(args, shared, stage ^ 1, step, heads, true);
    };
    const ColumnTerms& terms = shared.terms[stage][group.index];
    if (group.active && current.first > group.first()) {
      attend_queries<kValues, false>(gradient, sums, shared, shared.tokens[agreed(stage)], terms,
                                     group, load_next);
    } else if (group.active && current.first == group.first()) {
#if GATED
      if (current.member == 0) {
        float factors[2];
        load_own_factors(factors, args, place, group);
        gradient.scale(factors);
        for (int r = 0; r < 2; r++) sums[r] *= factors[r];
      }
#endif
      attend_queries<kValues, true>(gradient, sums, shared, shared.tokens[agreed(stage)], terms,
                                    group, load_next);
    } else {
      load_next();
    }
    stage ^= 1;
  }

  if (kValues) {
    write_gradient(gradient, args.dv, place, args.dv_strides.token,
                   is_aligned(args.dv, args.dv_strides), group);
  } else {
#if GATED
    for (int r = 0; r < 2; r++) state_sums[r] *= 1.0f / kDegree;
    write_sums(args.key_sums, sums, place, group);
    write_sums(args.key_state_sums, state_sums, place, group);
#endif
    const float degree[2] = {kDegree, kDegree};
    gradient.scale(degree);
    if (with_state) add_dx(gradient, shared);
    write_gradient(gradient, args.dk, place, args.dk_strides.token,
                   is_aligned(args.dk, args.dk_strides), group);
  }
}

// dk, and two sums of c_ij over i > j for gate_gradients, through the state and directly.
// Grid (row tiles of the longest sequence and one more, batch * key_heads).
extern "C" __global__ __launch_bounds__(kGradientThreads, kGradientBlocks)
void key_gradients(const __grid_constant__ Arguments args) {
  key_gradients_of<false>(args, *reinterpret_cast<GradientShared*>(shared_memory));
}

// dv. It is computed apart because accumulators of both take twice the registers. Same grid.
extern "C" __global__ __launch_bounds__(kGradientThreads, kGradientBlocks)
void value_gradients(const __grid_constant__ Arguments args) {
  key_gradients_of<true>(args, *reinterpret_cast<GradientShared*>(shared_memory));
}
