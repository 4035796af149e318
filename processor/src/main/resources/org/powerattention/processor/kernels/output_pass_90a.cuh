#pragma once
// Starts copying a warpgroup's queries, rows [first, first + 64) of a head; nothing is read of rows
// before 0 and from `end` on.
__device__ __forceinline__ void load_queries(
    element* q, const element* head, int64 token_stride, int64 first, int64 end, bool aligned) {
#pragma unroll 1
  for (int i = threadIdx.x % kGroup; i < kGroupRows * kPieces; i += kGroup) {
    const int row = i / kPieces;
    const int column = i % kPieces * 8;
    const bool valid = first + row >= 0 && first + row < end;
    const element* source = head + (valid ? (first + row) * token_stride : 0) + column;
    element* target = q + panel_place<kGroupRows>(row, column);
    if (aligned) {
      copy_async_16(target, source, valid);
    } else {
      for (int e = 0; e < 8; e++) target[e] = valid ? source[e] : (element)0;
    }
  }
}

// y of a warpgroup's rows.
template <bool kWithState>
__device__ __forceinline__ void multiply(
    const Arguments& args, OutputShared& shared, const OutputBlock& block) {
  const KeyRange& range = block.keys;
  const int group = threadIdx.x / kGroup;
#if NORMALIZED
  const int lane = threadIdx.x % 32;
#endif
  const int64 group_row = range.row + group * kGroupRows;
  // Rows before query_start have no query.
  load_queries(shared.q[group],
               head_rows(args.q, args.q_strides, block.sequence, block.batch, block.query_head),
               args.q_strides.token, group_row - args.query_start, range.end - args.query_start,
               is_aligned(args.q, args.q_strides));
  const bool reads_state = kWithState && (block.chunk > 0 || args.initial_sums != nullptr);
  float log_decay = 0;
#if GATED
  if (reads_state) {
    log_decay = (float)(range.gate_row - gate_before(args, range.gate_sum, block.chunk));
  }
#endif
  copy_wait();
  fence_async_reads();
  group_sync(1 + group, kGroup);

  GroupSums sums = {};
  if (reads_state) {
    read_from_state(sums, shared);
    take_joint(sums, args, block.batch_head(args), block.chunk, range.row);
  }
  Totals totals = {};
  attend(sums, totals, args, shared, range, log_decay);

  OutputRows rows;
#pragma unroll
  for (int i = 0; i < kHeadDim / 2; i++) rows.sums[0][i / 4][i % 4] = sums[i];
#if NORMALIZED
  for (int r = 0; r < 2; r++) {
    rows.weights[0][r] = lane % 4 == 0 ? totals[2 * r] + sums[kHeadDim / 2 + 2 * r] : 0.0f;
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
      bring_rows(shared, block.keys, block.keys.k, block.keys.k_stride, block.keys.k_aligned,
                 shared.k);
    } else if (warp == 2) {
      bring_rows(shared, block.keys, block.keys.v, block.keys.v_stride, block.keys.v_aligned,
                 shared.v);
#if GATED
    } else if (warp == 3) {
      bring_gates(args, shared, block.keys);
#endif
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
