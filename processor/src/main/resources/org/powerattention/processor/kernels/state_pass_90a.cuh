#pragma once

// Takes over a state of the caller's.
__device__ __forceinline__ void read_state(
    StateTiles& tiles, const float* sums, const float* key_sums) {
  tiles.for_each([&](float& value, int, int feature, int column) {
    value = column < kHeadDim ? sums[(int64)feature * kHeadDim + column] : key_sums[feature];
  });
}

// Writes this block's part of a chunk's snapshot: slabs, with the multiplicities that the tiled
// symmetric power leaves out folded in.
__device__ __forceinline__ void write_snapshot(
    const Arguments& args, const StateTiles& tiles, int64 place_of_chunk) {
  unsigned char* snapshot = args.snapshots + place_of_chunk * kSnapshotBytes;
  const int first_block = StateTiles::first_block();
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) {
    const int block = first_block + i * 4;
    if (block >= kFeatures / 16) continue;
    const float weight = block_of_tile(first_block, i).multiplicity();
    element* slab = reinterpret_cast<element*>(snapshot) + (int64)(block / 4) * kStateSlab;
    element* own = slab + slab_place(block % 4 * 16 + g, 2 * t);
#pragma unroll
    for (int n = 0; n < kSumColumns / 8; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const float* two = &tiles.sums[i][n * 4 + half * 2];
        *reinterpret_cast<uint32*>(own + slab_place(half * 8, n * 8)) =
            elements_of(two[0] * weight, two[1] * weight);
      }
    }
#if NORMALIZED
    if (args.snapshot_key_sums != nullptr && t == 0) {
      float* key_sums = args.snapshot_key_sums + place_of_chunk * kFeatures + block * 16 + g;
      key_sums[0] = tiles.sums[i][kHeadDim / 2] * weight;
      key_sums[8] = tiles.sums[i][kHeadDim / 2 + 2] * weight;
    }
#endif
  }
}

// Calls body(chunk, first, end) for the chunks of a segment, with the tokens that lie between the
// chunk's state_start and the next one's.
template <typename Body>
__device__ __forceinline__ void for_each_chunk(
    const Arguments& args, const Sequence& sequence, int64 first_chunk, int64 end_chunk, int64 end,
    Body body) {
#pragma unroll 1
  for (int64 chunk = first_chunk; chunk < end_chunk; chunk++) {
    body(chunk, state_start(args, sequence, chunk), min(state_start(args, sequence, chunk + 1), end));
  }
}

// The state at each chunk's state_start, and the final one. For each chunk:
//   snapshot = multiplicity * S;   S <- exp(G_last) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with j from the chunk's state_start to the next one's and G from there on. Where a sequence has
// several segments they are walked at the same time, each but the first from zero, and their states
// left in segment_states: join_segments adds what precedes them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads).
extern "C" __global__ __launch_bounds__(kStateThreads, 1)
void state_pass(const __grid_constant__ Arguments args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 last_segment = segment_count(args, sequence) - 1;
  if (blockIdx.y > last_segment) return;
  const int64 first_chunk = blockIdx.y * args.chunks_per_segment;
  const int64 end_chunk = min(first_chunk + args.chunks_per_segment, sequence.chunks);

  // The tokens of the last chunk matter only to the state after it.
  const bool whole = args.final_sums != nullptr || end_chunk < sequence.chunks;
  TokenRange range;
  range.k = head_rows(args.k, args.k_strides, sequence, batch, head);
  range.v = head_rows(args.v, args.v_strides, sequence, batch, head);
  range.k_stride = args.k_strides.token;
  range.v_stride = args.v_strides.token;
  range.k_aligned = is_aligned(args.k, args.k_strides);
  range.v_aligned = is_aligned(args.v, args.v_strides);
  const int64 end = state_start(args, sequence, whole ? end_chunk : end_chunk - 1);
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  if (threadIdx.x == 0) shared.start();
  __syncthreads();

  StepPlace place;
  if (threadIdx.x >= kStateMultipliers) {
    give_registers<kStateBringerRegisters>();
#if NORMALIZED
    for (int stage = 0; stage < kStateStages; stage++) {
      write_sum_factors(shared.values[stage], threadIdx.x % kGroup, elements_of(1.0f, 0.0f));
    }
#endif
    for_each_chunk(args, sequence, first_chunk, end_chunk, end,
                   [&](int64 chunk, int64 chunk_first, int64 chunk_end) {
      if (chunk_first < chunk_end) {
        const KeyWeights weights(args, sequence, head, chunk, chunk_end);
        bring_tokens(shared, range, weights, chunk_first, chunk_end, place);
      }
    });
    copy_wait();
    return;
  }

  take_registers<kStateMultiplierRegisters>();
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  StateTiles tiles;
  if (blockIdx.y == 0 && args.initial_sums != nullptr) {
    read_state(tiles, args.initial_sums + blockIdx.z * sums_size,
               args.initial_key_sums + blockIdx.z * (int64)kFeatures);
  }
  for_each_chunk(args, sequence, first_chunk, end_chunk, end,
                 [&](int64 chunk, int64 chunk_first, int64 chunk_end) {
    if (args.snapshots != nullptr) {
      write_snapshot(args, tiles, chunk_place(args, sequence, head, chunk));
    }
    if (chunk_first >= chunk_end) return;
#if GATED
    tiles.decay(expf((float)(gate_at(args, gate_sum, chunk, chunk_end - 1) -
                             gate_before(args, gate_sum, chunk))));
#else
    tiles.decay(unknown_one(args));
#endif
    add_steps(tiles, shared, step_count(chunk_first, chunk_end), place);
  });

  if (args.segments > 1) {
    float* segment_state =
        args.segment_states + (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;
    write_state(tiles, segment_state, segment_state + sums_size);
  } else if (args.final_sums != nullptr) {
    write_state(tiles, args.final_sums + blockIdx.z * sums_size,
                args.final_key_sums + blockIdx.z * (int64)kFeatures);
  }
}
