#pragma once

// A thread joins the numbers of one 16-byte word of snapshots: of a feature's columns, or of z, of
// which BF16 has one feature's in a word, and where z in fp32 is kept, four in a word of that.
constexpr int kStateWords = kSnapshotBytes / 16;
#if BF16 && NORMALIZED
constexpr int kJoinWords = kStateWords + kFeatures / 4;
#else
constexpr int kJoinWords = kStateWords;
#endif

// One word of the snapshots of a head.
struct JoinWord {
#if BF16
  static constexpr int kNumbers = 8;
#else
  static constexpr int kNumbers = 4;
#endif
  uint4* first;    // in the first snapshot
  int64 distance;  // from one snapshot to the next, in words
  int64 number;    // of its first number in a state
  int count;       // of its numbers
  int feature;     // of the first
  bool rounded;    // to the precision of operands, not in fp32
  bool valid;

  __device__ __forceinline__ JoinWord(const Arguments& args, int64 place, int word) {
    const int64 sums_size = (int64)kFeatures * kHeadDim;
    first = reinterpret_cast<uint4*>(args.snapshots + place * kSnapshotBytes) + word;
    distance = kSnapshotBytes / 16;
    valid = word < kJoinWords;
#if BF16
    constexpr int slab_words = kStateSlab / 8;
    const int column = word % slab_words / kSlabFeatures * 8;
    rounded = word < kStateWords;
    feature = word / slab_words * kSlabFeatures + word % kSlabFeatures;
    count = column < kHeadDim ? 8 : 1;
    number = column < kHeadDim ? (int64)feature * kHeadDim + column : sums_size + feature;
#if NORMALIZED
    if (!rounded) {
      if (args.snapshot_key_sums == nullptr) valid = false;
      feature = valid ? (word - kStateWords) * 4 : 0;
      count = 4;
      number = sums_size + feature;
      first = reinterpret_cast<uint4*>(args.snapshot_key_sums + place * kFeatures + feature);
      distance = kFeatures / 4;
    }
#endif
    if (feature >= kFeatures) valid = false;
#else
    number = (int64)word * 4;
    count = 4;
    rounded = number < sums_size;
    feature = valid ? (int)(rounded ? number / kHeadDim : number - sums_size) : 0;
#endif
  }

  // Whether other words have the same numbers of a state too.
  __device__ __forceinline__ bool repeated() const {
#if BF16
    return !rounded;
#else
    return false;
#endif
  }

  // A word plus numbers times a factor.
  __device__ __forceinline__ uint4 sum(
      uint4 word, const float (&numbers)[kNumbers], float factor) const {
    uint32* words = reinterpret_cast<uint32*>(&word);
#pragma unroll
    for (int i = 0; i < 4; i++) {
#if BF16
      if (rounded) {
        words[i] = elements_of(fmaf(numbers[2 * i], factor, low_of(words[i])),
                               fmaf(numbers[2 * i + 1], factor, high_of(words[i])));
        continue;
      }
#endif
      const float sum = fmaf(numbers[i], factor, __uint_as_float(words[i]));
#if FP16
      words[i] = __float_as_uint(rounded ? tf32_of(sum) : sum);
#else
      words[i] = __float_as_uint(sum);
#endif
    }
    return word;
  }
};

// Joins the segments of a sequence. The snapshots of each but the first are of the segment alone; the
// state at its start is added here, decayed to each chunk's:
//   start_0 = 0,  start_{s+1} = decay_s start_s + own_s.
// The one behind the last segment is the final state.
// Grid (kJoinWords / 256 rounded up, segments, batch * key_heads): a thread has one word of all
// snapshots of a segment. There are at most 256 segments.
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
  const int chunks = (int)(end_chunk - first_chunk);
  const int64 place = chunk_place(args, sequence, head, first_chunk);
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  const JoinWord word(args, place, blockIdx.x * kJoinThreads + threadIdx.x);
  uint4 words[kJoinBatch];
  const auto load = [&](int done) {
#pragma unroll
    for (int i = 0; i < kJoinBatch; i++) {
      if (adds && word.valid && done + i < chunks) words[i] = word.first[(done + i) * word.distance];
    }
  };
  load(0);
#if GATED
  __shared__ JoinDecays decays;
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
  decays.load_segments(args, sequence, gate_sum, 0, segment);
  decays.load_chunks(args, sequence, gate_sum, first_chunk, end_chunk);
#endif

  float carry[JoinWord::kNumbers] = {};
  // carry = decay * carry + the same numbers of a segment's own state
  const auto add_segment = [&](int64 index, float decay) {
    if (!word.valid) return;
    const float* own =
        args.segment_states + (blockIdx.z * args.segments + index) * kStateNumbers + word.number;
    if (word.count == 1) {
      carry[0] = fmaf(carry[0], decay, *own);
      return;
    }
#pragma unroll
    for (int i = 0; i < JoinWord::kNumbers; i += 4) {
      const float4 four = i < word.count ? *reinterpret_cast<const float4*>(own + i)
                                         : make_float4(0, 0, 0, 0);
      carry[i] = fmaf(carry[i], decay, four.x);
      carry[i + 1] = fmaf(carry[i + 1], decay, four.y);
      carry[i + 2] = fmaf(carry[i + 2], decay, four.z);
      carry[i + 3] = fmaf(carry[i + 3], decay, four.w);
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

#if FP32
  Feature first_feature;
  first_feature.locate(word.feature);
  const float multiplicity = first_feature.multiplicity;
#else
  const float multiplicity = FeatureBlock(min(word.feature, kFeatures - 1) / 16).multiplicity();
#endif
  float remains = 1;  // of the state at the segment's start
#pragma unroll 1
  for (int done = 0; done < chunks; done += kJoinBatch) {
    if (done > 0) load(done);
#if GATED
    const int run = done % JoinDecays::kChunks;
    if (done > 0 && run == 0) {
      decays.load_chunks(args, sequence, gate_sum, first_chunk + done, end_chunk);
    }
#endif
#pragma unroll
    for (int i = 0; i < kJoinBatch; i++) {
      if (done + i >= chunks) break;
      if (adds && word.valid) {
        word.first[(done + i) * word.distance] = word.sum(words[i], carry, remains * multiplicity);
      }
#if GATED
      remains *= decays.chunks[run + i];
#endif
    }
  }
  if (!whole || !word.valid || word.repeated()) return;
  add_segment(segment, remains);
  float* final_numbers =
      word.number < sums_size
          ? args.final_sums + blockIdx.z * sums_size + word.number
          : args.final_key_sums + blockIdx.z * (int64)kFeatures + word.number - sums_size;
#pragma unroll
  for (int i = 0; i < JoinWord::kNumbers; i++) {
    if (i < word.count) final_numbers[i] = carry[i];
  }
}
