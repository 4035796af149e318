#pragma once

typedef WalkShared<element> StateShared;
static_assert(sizeof(StateShared) == kStateSharedBytes, "the launch must match");

// The state at each chunk's state_start, and the final one. For each chunk:
//   snapshot = multiplicity * S;   S <- exp(G_last) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with j from the chunk's state_start to the next one's and G from there on. Where a sequence has
// several segments they are walked at the same time, each but the first from zero, and their states
// left in segment_states: join_segments adds what precedes them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads): a block keeps its
// features of S in registers; each warp has kWarpBlocks blocks of 16 and all value columns.
extern "C" __global__ __launch_bounds__(kStateThreads, 2)
void state_pass(const __grid_constant__ Arguments args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  if (blockIdx.y >= segment_count(args, sequence)) return;
  const Segment segment = segment_of(args, sequence, blockIdx.y);
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  StateSlice slice;
  if (segment.first_of_all && args.initial_sums != nullptr) {
    const float* sums = args.initial_sums + blockIdx.z * sums_size;
    const float* key_sums = args.initial_key_sums + blockIdx.z * (int64)kFeatures;
    slice.for_each([&](float& value, int, int feature, int column) {
      value = column < kHeadDim ? sums[(int64)feature * kHeadDim + column] : key_sums[feature];
    });
  }

  WalkTokens tokens;
  tokens.x = head_rows(args.k, args.k_strides, sequence, batch, head);
  tokens.values = head_rows(args.v, args.v_strides, sequence, batch, head);
  tokens.x_stride = args.k_strides.token;
  tokens.values_stride = args.v_strides.token;
  tokens.x_aligned = is_aligned(args.k, args.k_strides);
  tokens.values_aligned = is_aligned(args.v, args.v_strides);
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  // The tokens of the last chunk matter only to the state after it.
  const bool whole = args.final_sums != nullptr || !segment.last_of_all;
  for (int64 chunk = segment.first; chunk < segment.end; chunk++) {
    if (args.snapshots != nullptr) {
      const int64 place = chunk_place(args, sequence, head, chunk);
      unsigned char* snapshot = args.snapshots + place * kSnapshotBytes;
#if BF16
      float* key_sums = args.snapshot_key_sums;
      if (key_sums != nullptr) key_sums += place * kFeatures;
      write_snapshot<kSumColumns>(slice, snapshot, key_sums);
#else
      write_snapshot<kHeadDim>(slice, snapshot, reinterpret_cast<float*>(snapshot + kStateSums));
#endif
    }
    const int64 first = state_start(args, sequence, chunk);
    const int64 end = state_start(args, sequence, chunk + 1);
    if (first >= end || !whole && chunk == segment.end - 1) continue;
#if GATED
    slice.decay(expf((float)chunk_log_decay(args, sequence, gate_sum, chunk)));
#endif
    add_range(slice, shared, tokens, first, end, KeyWeights(args, sequence, head, chunk, end));
  }

  if (args.segments > 1) {
    float* own = args.segment_states + (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;
    write_state(slice, own, own + sums_size);
  } else if (args.final_sums != nullptr) {
    write_state(slice, args.final_sums + blockIdx.z * sums_size,
                args.final_key_sums + blockIdx.z * (int64)kFeatures);
  }
}
