#pragma once

constexpr int kSlabBytes = kSlabFeatures * kSumColumns * sizeof(element);

// Of keys, in a sum over their chunk's tokens.
struct KeyTerms {
  int64 chunk_first;  // the chunk's first token
#if GATED
  const double* gate_sum;
  double before;  // G of the chunk's tokens does not have this; that of the tokens before it does
  double last;
#endif

  static constexpr bool kCounts = true;

  struct Numbers {
    double gate;
  };

  __device__ __forceinline__ KeyTerms(
      const Arguments& args, const Sequence& sequence, int64 head, int64 chunk, int64 chunk_end)
      : chunk_first(chunk * args.chunk) {
#if GATED
    gate_sum = args.gate_sum + token_place(args, sequence, head);
    before = chunk > 0 ? gate_sum[chunk_first - 1] : 0.0;
    last = gate_at(args, gate_sum, chunk, chunk_end - 1);
#endif
  }

  __device__ __forceinline__ Numbers load(int64 token) const {
#if GATED
    return Numbers{gate_sum[token]};
#else
    return Numbers{};
#endif
  }

  // exp(G_last - G_j)
  __device__ __forceinline__ float weight(const Numbers& numbers, int64 token) const {
#if GATED
    const double gate = token < chunk_first ? numbers.gate - before : numbers.gate;
    return expf((float)(last - gate));
#else
    return 1;
#endif
  }
};

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
    element* slab = reinterpret_cast<element*>(snapshot + (int64)(block / 4) * kSlabBytes);
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
#if KEEPS_STATES && NORMALIZED
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

constexpr int kStateWords = kSnapshotBytes / 16;
#if KEEPS_STATES && NORMALIZED
constexpr int kJoinWords = kStateWords + kFeatures / 4;  // and those of z in fp32, if it is kept
#else
constexpr int kJoinWords = kStateWords;
#endif

// Joins the segments of a sequence. The snapshots of each but the first are of the segment alone; the
// state at its start is added here, decayed to each chunk's:
//   start_0 = 0,  start_{s+1} = decay_s start_s + own_s.
// The one behind the last segment is the final state.
// Grid (kJoinWords / 256 rounded up, segments, batch * key_heads): a thread has a word of 8 columns of
// one feature, or of z of 4 features, in all snapshots of a segment. There are at most 256 segments.
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
  __shared__ JoinDecays decays;
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
  decays.load_segments(args, sequence, gate_sum, 0, segment);
#endif

  const int word = blockIdx.x * kJoinThreads + threadIdx.x;
  const int slab_word = word % (kSlabFeatures * (kSumColumns / 8));
  int feature =
      word / (kSlabFeatures * (kSumColumns / 8)) * kSlabFeatures + slab_word % kSlabFeatures;
  const int column = slab_word / kSlabFeatures * 8;
  const bool of_sums = column < kHeadDim && word < kStateWords;  // S, else z
  const int64 place = chunk_place(args, sequence, head, first_chunk);
  uint4* target = reinterpret_cast<uint4*>(args.snapshots + place * kSnapshotBytes) + word;
  int64 distance = kSnapshotBytes / 16;  // to the next chunk's
#if KEEPS_STATES && NORMALIZED
  const bool exact = word >= kStateWords;  // z in fp32
  bool valid = !exact || args.snapshot_key_sums != nullptr && word < kJoinWords;
  if (exact) {
    feature = valid ? (word - kStateWords) * 4 : 0;
    target = reinterpret_cast<uint4*>(args.snapshot_key_sums + place * kFeatures + feature);
    distance = kFeatures / 4;
  }
#else
  const bool exact = false;
  bool valid = word < kStateWords;
#endif
  if (feature >= kFeatures) valid = false;
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  const int64 number = of_sums ? (int64)feature * kHeadDim + column : sums_size + feature;
  float carry[8] = {};
  // carry = decay * carry + the same numbers of a segment's own state
  const auto add_segment = [&](int64 index, float decay) {
    if (!valid) return;
    const float* own =
        args.segment_states + (blockIdx.z * args.segments + index) * kStateNumbers + number;
    if (of_sums || exact) {
      const float4* four = reinterpret_cast<const float4*>(own);
      const float4 low = four[0];
      const float4 high = of_sums ? four[1] : make_float4(0, 0, 0, 0);
      const float numbers[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
      for (int i = 0; i < 8; i++) carry[i] = fmaf(carry[i], decay, numbers[i]);
    } else {
      carry[0] = fmaf(carry[0], decay, *own);
    }
  };
#pragma unroll 4
  for (int64 before = 0; before < segment; before++) {
#if GATED
    add_segment(before, decays.segments[before]);
#else
    add_segment(before, 1);
#endif
  }

  const float multiplicity = FeatureBlock(min(feature, kFeatures - 1) / 16).multiplicity();
  float remains = 1;  // of the state at the segment's start
  const int chunks = (int)(end_chunk - first_chunk);
#pragma unroll 1
  for (int first = 0; first < chunks; first += JoinDecays::kChunks) {
#if GATED
    decays.load_chunks(args, sequence, gate_sum, first_chunk + first, end_chunk);
#endif
    const int end = min(chunks - first, JoinDecays::kChunks);
#pragma unroll 4
    for (int chunk = 0; chunk < end; chunk++, target += distance) {
      if (adds && valid) {
        const float factor = remains * multiplicity;
        uint4 values = *target;
        uint32* words = reinterpret_cast<uint32*>(&values);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          words[i] = exact ? __float_as_uint(fmaf(carry[i], factor, __uint_as_float(words[i])))
                           : elements_of(fmaf(carry[2 * i], factor, low_of(words[i])),
                                         fmaf(carry[2 * i + 1], factor, high_of(words[i])));
        }
        *target = values;
      }
#if GATED
      remains *= decays.chunks[chunk];
#endif
    }
  }
  if (!whole || !valid || exact) return;
  add_segment(segment, remains);
  if (of_sums) {
#pragma unroll
    for (int i = 0; i < 8; i++) args.final_sums[blockIdx.z * sums_size + number + i] = carry[i];
  } else {
    args.final_key_sums[blockIdx.z * (int64)kFeatures + feature] = carry[0];
  }
}
