#pragma once

constexpr int kSlabBytes = 64 * kSumColumns * sizeof(element);  // of a snapshot: 64 features

// Takes over a state of the caller's.
__device__ __forceinline__ void read_state(
    StateTiles& tiles, const float* sums, const float* key_sums) {
  tiles.for_each([&](float& value, int, int feature, int column) {
    value = column < kHeadDim ? sums[(int64)feature * kHeadDim + column] : key_sums[feature];
  });
}

// Writes this block's part of a chunk's snapshot: slabs of core matrices, with the multiplicities
// that the tiled symmetric power leaves out folded in.
__device__ __forceinline__ void write_snapshot(const StateTiles& tiles, unsigned char* snapshot) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < kGroupTiles; i++) {
    const int block = tiles.first_block + i * 4;
    if (block >= kFeatures / 16) continue;
    const float weight = tiles.multiplicity(i);
    element* slab = reinterpret_cast<element*>(snapshot + (int64)(block / 4) * kSlabBytes);
#pragma unroll
    for (int n = 0; n < kSumColumns / 8; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const float* two = &tiles.sums[i][n * 4 + half * 2];
        const int place = core_place<kSumColumns>(block % 4 * 16 + half * 8 + g, n * 8 + 2 * t);
        *reinterpret_cast<uint32*>(slab + place) = elements_of(two[0] * weight, two[1] * weight);
      }
    }
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
    for_each_chunk(args, sequence, first_chunk, end_chunk, end,
                   [&](int64 chunk, int64 chunk_first, int64 chunk_end) {
      if (chunk_first < chunk_end) {
        const KeyTerms terms(args, sequence, head, chunk, chunk_end);
        bring_tokens(shared, range, terms, chunk_first, chunk_end, place);
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
      write_snapshot(
          tiles, args.snapshots + chunk_place(args, sequence, head, chunk) * kSnapshotBytes);
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

constexpr int kJoinThreads = 256;

// Joins the segments of a sequence. The snapshots of each but the first are of the segment alone; the
// state at its start is added here, decayed to each chunk's:
//   start_0 = 0,  start_{s+1} = decay_s start_s + own_s.
// The one behind the last segment is the final state.
// Grid (words of a snapshot / 256 rounded up, segments, batch * key_heads): a thread has a word of 8
// columns of one feature, in all snapshots of a segment. There are at most 256 segments.
extern "C" __global__ __launch_bounds__(kJoinThreads)
void join_segments(const __grid_constant__ Arguments args) {
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 segment = blockIdx.y;
  const int64 last_segment = segment_count(args, sequence) - 1;
  const bool adds = args.snapshots != nullptr && segment > 0;
  const bool whole = segment == last_segment && args.final_sums != nullptr;
  if (segment > last_segment || !adds && !whole) return;
  const int64 first_chunk = segment * args.chunks_per_segment;
  const int64 end_chunk = min(first_chunk + args.chunks_per_segment, sequence.chunks);

#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
  __shared__ double logs[kJoinThreads];   // of the decays of a run of chunks
  __shared__ float decays[kJoinThreads];  // of the segments before this one
  const auto run_from = [&](int64 first, int64 end) {
    __syncthreads();  // the last run is read
    if (first + threadIdx.x < end) {
      logs[threadIdx.x] = chunk_log_decay(args, sequence, gate_sum, first + threadIdx.x);
    }
    __syncthreads();  // this one is there
  };
  double log_decay = 0;  // of segment threadIdx.x
  for (int64 first = 0; first < first_chunk; first += kJoinThreads) {
    run_from(first, first_chunk);
    if (threadIdx.x >= segment) continue;
    const int64 begin = threadIdx.x * args.chunks_per_segment;
    const int64 end = min(begin + args.chunks_per_segment, first + kJoinThreads);
    for (int64 chunk = max(begin, first); chunk < end; chunk++) log_decay += logs[chunk - first];
  }
  decays[threadIdx.x] = expf((float)log_decay);
  __syncthreads();
#endif

  const int word = blockIdx.x * kJoinThreads + threadIdx.x;
  const int feature = word / (8 * (kSumColumns / 8)) * 8 + word % 8;
  const int column = word / 8 % (kSumColumns / 8) * 8;
  const bool valid = feature < kFeatures;
  const bool of_sums = column < kHeadDim;  // a word of S, else of z
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  const int64 number = of_sums ? (int64)feature * kHeadDim + column : feature;
  float carry[8] = {};
  // carry = decay * carry + the same numbers of a state
  const auto add = [&](const float* sums, const float* key_sums, float decay) {
    if (!valid) return;
    if (of_sums) {
      const float4* four = reinterpret_cast<const float4*>(sums + number);
      const float4 low = four[0];
      const float4 high = four[1];
      const float numbers[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
      for (int i = 0; i < 8; i++) carry[i] = fmaf(carry[i], decay, numbers[i]);
    } else {
      carry[0] = fmaf(carry[0], decay, key_sums[number]);
    }
  };
  const auto add_segment = [&](int64 index, float decay) {
    const float* own =
        args.segment_states + (blockIdx.z * args.segments + index) * kStateNumbers;
    add(own, own + sums_size, decay);
  };
#pragma unroll 4
  for (int64 before = 0; before < segment; before++) {
#if GATED
    add_segment(before, decays[before]);
#else
    add_segment(before, 1);
#endif
  }

  const float multiplicity = FeatureBlock(min(feature, kFeatures - 1) / 16).multiplicity();
  float remains = 1;  // of the state at the segment's start
#pragma unroll 1
  for (int64 first = first_chunk; first < end_chunk; first += kJoinThreads) {
#if GATED
    run_from(first, end_chunk);
#endif
    const int chunks = (int)min(end_chunk - first, (int64)kJoinThreads);
    uint4* target = reinterpret_cast<uint4*>(
        args.snapshots + chunk_place(args, sequence, head, first) * kSnapshotBytes) + word;
#pragma unroll 4
    for (int chunk = 0; chunk < chunks; chunk++, target += kSnapshotBytes / 16) {
      if (adds && valid) {
        const float factor = remains * multiplicity;
        uint4 values = *target;
        uint32* pairs = reinterpret_cast<uint32*>(&values);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          pairs[i] = elements_of(fmaf(carry[2 * i], factor, low_of(pairs[i])),
                                 fmaf(carry[2 * i + 1], factor, high_of(pairs[i])));
        }
        *target = values;
      }
#if GATED
      remains *= expf((float)logs[chunk]);
#endif
    }
  }
  if (!whole || !valid) return;
  add_segment(segment, remains);
  if (of_sums) {
#pragma unroll
    for (int i = 0; i < 8; i++) args.final_sums[blockIdx.z * sums_size + number + i] = carry[i];
  } else {
    args.final_key_sums[blockIdx.z * (int64)kFeatures + number] = carry[0];
  }
}
