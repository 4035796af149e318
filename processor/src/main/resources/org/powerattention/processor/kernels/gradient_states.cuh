#pragma once

typedef WalkShared<stored> StateShared;
static_assert(sizeof(StateShared) == kStateSharedBytes, "the launch must match");

// The gradient dS of the state at each chunk's state_start, without multiplicities, from the end:
//   dS <- exp(G_last) dS + sum_i exp(G_i) phi(q_i) u_i^T,  u_i = r_i (dy_i, -<dy_i, y_i>)
// over the chunk's queries, of all query heads that read the key/value head. What is kept for a
// chunk is dS at the *next* one's state_start, which the chunk's keys need. Segments of a sequence are
// walked at the same time, each but the last from zero, and their own gradients left in
// segment_gradients; join_gradients adds what follows them.
// Grid (kFeatures / kStateFeatures rounded up, segments, batch * key_heads): a block keeps its
// features of dS in registers; each warp has kWarpBlocks blocks of 16 and all value columns.
extern "C" __global__ __launch_bounds__(kStateThreads, 2)
void state_gradient_walk(const __grid_constant__ Arguments args) {
  StateShared& shared = *reinterpret_cast<StateShared*>(shared_memory);
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const int64 group = args.query_heads / args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  if (blockIdx.y >= segment_count(args, sequence)) return;
  const Segment segment = segment_of(args, sequence, blockIdx.y);
  const bool whole = !segment.first_of_all || args.initial_gradient != nullptr;
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  StateSlice slice;
  if (segment.last_of_all && args.final_gradient != nullptr) {
    // It has multiplicities folded in, which the slice leaves out.
    const float* sums = args.final_gradient + blockIdx.z * sums_size;
    const float* key_sums = args.final_key_gradient + blockIdx.z * (int64)kFeatures;
    slice.for_each([&](float& value, int block, int feature, int column) {
      value = column < kHeadDim ? sums[(int64)feature * kHeadDim + column] : key_sums[feature];
      value /= slice.blocks[block].multiplicity();
    });
  }

  WalkTokens tokens;
  tokens.x_stride = args.q_strides.token;
  tokens.values_stride = args.dy_strides.token;
  tokens.x_aligned = is_aligned(args.q, args.q_strides);
  tokens.values_aligned = is_aligned(args.dy, args.dy_strides);
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  for (int64 chunk = segment.end - 1; chunk >= segment.first; chunk--) {
    unsigned char* snapshot =
        args.state_gradients + chunk_place(args, sequence, head, chunk) * kSnapshotBytes;
    write_snapshot<kHeadDim>(slice, snapshot, reinterpret_cast<float*>(snapshot + kGradientSums));
    if (chunk == segment.first && !whole) break;
#if GATED
    slice.decay(expf((float)chunk_log_decay(args, sequence, gate_sum, chunk)));
#endif
    // The first rows' share of the gradient of the initial state is joint_gradient's.
    const int64 first = chunk == 0 ? kOverlap : chunk * args.chunk;
    const int64 end = min((chunk + 1) * args.chunk, sequence.tokens);
    for (int64 query_head = head * group; query_head < (head + 1) * group; query_head++) {
      tokens.x = head_rows(args.q, args.q_strides, sequence, batch, query_head);
      tokens.values = head_rows(args.dy, args.dy_strides, sequence, batch, query_head);
      add_range(slice, shared, tokens, first, end,
                QueryWeights(args, sequence, head, query_head, chunk));
    }
  }
  if (whole) {
    float* own =
        args.segment_gradients + (blockIdx.z * args.segments + blockIdx.y) * kStateNumbers;
    write_state(slice, own, own + sums_size);
  }
}
