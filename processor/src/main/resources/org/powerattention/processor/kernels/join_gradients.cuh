#pragma once

// A thread joins the numbers of one 16-byte word of gradients: of S as stored, or of z in fp32.
constexpr int kWordNumbers = 16 / sizeof(stored);
constexpr int64 kSumWords = kGradientSums / 16;
constexpr int64 kJoinWords = kSnapshotBytes / 16;
constexpr int64 kJoinWarps = (kJoinWords + 31) / 32;
static_assert(kSumWords % 32 == 0, "a warp has words of one kind");

// One word of the gradient of a state.
struct JoinWord {
  int64 index;
  bool of_sums;  // S, not z
  bool valid;
  int feature;   // of its first number
  int64 number;  // the same as it counts in a segment's own gradient

  __device__ __forceinline__ explicit JoinWord(int64 index)
      : index(index), of_sums(index < kSumWords), valid(index < kJoinWords) {
    if (!of_sums) {
      feature = valid ? (int)(index - kSumWords) * 4 : 0;
      number = (int64)kFeatures * kHeadDim + feature;
      return;
    }
#if BF16
    // Eight columns of a feature in a core matrix of a slab.
    const int slab_word = (int)index % (kGradientSlab / 8);
    feature = (int)index / (kGradientSlab / 8) * kSlabFeatures + slab_word % kSlabFeatures;
    number = (int64)feature * kHeadDim + slab_word / kSlabFeatures * 8;
    if (feature >= kFeatures) valid = false;
#else
    number = index * kWordNumbers;
    feature = (int)(number / kHeadDim);
#endif
  }

  // How many numbers it has.
  __device__ __forceinline__ int count() const { return of_sums ? kWordNumbers : 4; }

  __device__ __forceinline__ void read(float (&values)[kWordNumbers], const uint4& bits) const {
    const uint32 words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
#if BF16
      values[2 * i] = low_of(words[i]);
      values[2 * i + 1] = high_of(words[i]);
    }
    if (of_sums) return;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      values[4 + i] = 0;
#endif
      values[i] = __uint_as_float(words[i]);
    }
  }

  __device__ __forceinline__ uint4 bits_of(const float (&values)[kWordNumbers]) const {
#if BF16
    if (of_sums) {
      return make_uint4(elements_of(values[0], values[1]), elements_of(values[2], values[3]),
                        elements_of(values[4], values[5]), elements_of(values[6], values[7]));
    }
    const auto bits = [](float value) { return __float_as_uint(value); };
#else
    const auto bits = [&](float value) {
      return __float_as_uint(of_sums ? stored_of(value) : value);
    };
#endif
    return make_uint4(bits(values[0]), bits(values[1]), bits(values[2]), bits(values[3]));
  }

  // The same numbers of a state in fp32, times a factor.
  __device__ __forceinline__ void read_state(
      float (&values)[kWordNumbers], const float* sums, const float* key_sums, float factor) const {
    const int64 size = (int64)kFeatures * kHeadDim;
    const float* source = number < size ? sums + number : key_sums + number - size;
#pragma unroll
    for (int i = 0; i < kWordNumbers; i += 4) {
      const float4 four = i < count() ? *reinterpret_cast<const float4*>(source + i)
                                      : make_float4(0, 0, 0, 0);
      values[i] = four.x * factor;
      values[i + 1] = four.y * factor;
      values[i + 2] = four.z * factor;
      values[i + 3] = four.w * factor;
    }
  }
};

#if GATED
// The same word of the states of a head's chunks: that of the first, and the bytes from one to the
// next.
struct StateWords {
  const unsigned char* first;
  int64 distance;

  __device__ __forceinline__ StateWords(const Arguments& args, int64 place, const JoinWord& word) {
    int64 index = word.index;
#if BF16
    if (!word.of_sums) {
      first = reinterpret_cast<const unsigned char*>(
          args.state_key_sums + place * kFeatures + word.feature);
      distance = kFeatures * sizeof(float);
      return;
    }
    constexpr int words = kGradientSlab / 8;
    index = index / words * (kStateSlab / 8) + index % words;
#endif
    first = args.states + place * kStateBytes + index * 16;
    distance = kStateBytes;
  }
};
#endif

// Sums of four numbers over a warp's lanes: lane 8 i has that of number i.
__device__ __forceinline__ float sums_of_four(const float (&values)[kJoinBatch]) {
  const int lane = threadIdx.x % 32;
  float two[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float mine = lane < 16 ? values[i] : values[i + 2];
    const float other = lane < 16 ? values[i + 2] : values[i];
    two[i] = mine + __shfl_xor_sync(0xffffffff, other, 16);
  }
  const bool first = lane % 16 < 8;
  float sum = (first ? two[0] : two[1]) +
              __shfl_xor_sync(0xffffffff, first ? two[1] : two[0], 8);
#pragma unroll
  for (int distance = 4; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, distance);
  }
  return sum;
}

// Joins the segments of a sequence. The gradients of a segment's chunks are of the segment alone; what
// follows it is added here, decayed from chunk to chunk:
//   dS += carry;  carry <- exp(G_chunk) carry,
// where carry at first is the segments' own gradients behind it, each decayed over those between.
// Leaves the product of each chunk's gradient with its state, decayed to where the gradient stands, and
// the gradient of the initial state. A caller's states enter a product as they are: what passes over
// all of a short call may be in effect one pair.
// Grid (kJoinWords / 256 rounded up, segments, batch * key_heads). There are at most 256 segments.
extern "C" __global__ __launch_bounds__(kJoinThreads, 3)
void join_gradients(const __grid_constant__ Arguments args) {
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 segments = segment_count(args, sequence);
  if (blockIdx.y >= segments) return;
  const Segment segment = segment_of(args, sequence, blockIdx.y);
  const bool adds = !segment.last_of_all;
  const int chunks = (int)(segment.end - segment.first);
  const int64 place = chunk_place(args, sequence, head, segment.first);
  const JoinWord word(blockIdx.x * (int64)kJoinThreads + threadIdx.x);
  unsigned char* gradients = args.state_gradients + place * kSnapshotBytes + word.index * 16;
  uint4 words[kJoinBatch];
#if GATED
  const StateWords states(args, place, word);
  uint4 state_words[kJoinBatch];
#endif
  // The chunk of the segment that comes next in the order of the walk, after so many.
  const auto chunk_after = [&](int done) { return chunks - 1 - done; };
  const auto load = [&](int done) {
#pragma unroll
    for (int i = 0; i < kJoinBatch; i++) {
      if (done + i >= chunks || !word.valid) continue;
      const int64 chunk = chunk_after(done + i);
      words[i] = *reinterpret_cast<const uint4*>(gradients + chunk * kSnapshotBytes);
#if GATED
      state_words[i] = *reinterpret_cast<const uint4*>(states.first + chunk * states.distance);
#endif
    }
  };
  load(0);

#if GATED
  __shared__ JoinDecays decays;
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
  // Of the segments that the walk had before this one.
  const int64 first_before = blockIdx.y + 1;
  decays.load_segments(args, sequence, gate_sum, first_before, segments);
  // Of a run of chunks, in the order of the walk.
  const auto load_decays = [&](int done) {
    const int64 first = max(segment.end - done - JoinDecays::kChunks, segment.first);
    decays.load_chunks(args, sequence, gate_sum, first, segment.end - done);
  };
  load_decays(0);
#endif
  const float multiplicity = FeatureBlock(word.feature / 16).multiplicity();
  const int64 sums_size = (int64)kFeatures * kHeadDim;
  float carry[kWordNumbers] = {};
  const auto add_segment = [&](int64 index) {
    if (!word.valid) return;
    const float* own =
        args.segment_gradients + (blockIdx.z * args.segments + index) * kStateNumbers;
    float numbers[kWordNumbers];
    word.read_state(numbers, own, own + sums_size, 1);
#pragma unroll
    for (int n = 0; n < kWordNumbers; n++) carry[n] += numbers[n];
  };
  const auto decay_carry = [&](float decay) {
#pragma unroll
    for (int n = 0; n < kWordNumbers; n++) carry[n] *= decay;
  };
#pragma unroll 4
  for (int64 index = segments - 1; index > blockIdx.y; index--) {
#if GATED
    decay_carry(decays.segments[index - first_before]);
#endif
    add_segment(index);
  }

#pragma unroll 1
  for (int done = 0; done < chunks; done += kJoinBatch) {
    if (done > 0) load(done);
#if GATED
    if (done > 0 && done % JoinDecays::kChunks == 0) load_decays(done);
    const int run = min(chunks - done / JoinDecays::kChunks * JoinDecays::kChunks,
                        JoinDecays::kChunks);
    float products[kJoinBatch] = {};
#endif
#pragma unroll
    for (int i = 0; i < kJoinBatch; i++) {
      if (done + i >= chunks) break;
      const int chunk = chunk_after(done + i);
      float values[kWordNumbers] = {};
      if (word.valid) word.read(values, words[i]);
      if (adds && word.valid) {
#pragma unroll
        for (int n = 0; n < kWordNumbers; n++) {
          values[n] = fmaf(carry[n], multiplicity, values[n]);
        }
        *reinterpret_cast<uint4*>(gradients + (int64)chunk * kSnapshotBytes) =
            word.bits_of(values);
      }
#if GATED
      const float decay = decays.chunks[run - 1 - (done + i) % JoinDecays::kChunks];
      decay_carry(decay);
      if (!word.valid) continue;
      float state[kWordNumbers];
      word.read(state, state_words[i]);
      if (segment.first + chunk == 0 && args.initial_sums != nullptr) {
        word.read_state(state, args.initial_sums + blockIdx.z * sums_size,
                        args.initial_key_sums + blockIdx.z * (int64)kFeatures, multiplicity);
      }
      if (segment.first + chunk == sequence.chunks - 1 && args.final_gradient != nullptr) {
        word.read_state(values, args.final_gradient + blockIdx.z * sums_size,
                        args.final_key_gradient + blockIdx.z * (int64)kFeatures, 1);
      }
#pragma unroll
      for (int n = 0; n < kWordNumbers; n++) {
        products[i] = fmaf(values[n], state[n], products[i]);
      }
      products[i] *= decay / multiplicity;  // both have it folded in
#endif
    }
#if GATED
    const float sum = sums_of_four(products);
    const int i = threadIdx.x % 32 / 8;
    if (threadIdx.x % 8 == 0 && done + i < chunks && word.index / 32 < kJoinWarps) {
      args.state_products[(place + chunk_after(done + i)) * kJoinWarps + word.index / 32] = sum;
    }
#endif
  }
  if (!segment.first_of_all || args.initial_gradient == nullptr) return;
  add_segment(0);
  if (!word.valid) return;
  float* target = word.number < sums_size
                      ? args.initial_gradient + blockIdx.z * sums_size + word.number
                      : args.initial_key_gradient + blockIdx.z * (int64)kFeatures + word.feature;
#pragma unroll
  for (int n = 0; n < kWordNumbers; n++) {
    if (n < word.count()) target[n] = carry[n] * multiplicity;
  }
}
