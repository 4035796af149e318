#pragma once

constexpr int kJoinThreads = 256;

// A thread joins the numbers of one 16-byte word of snapshots: of S as stored, or of z in fp32.
constexpr int64 kSumWords = (int64)kFeatures * kHeadDim * sizeof(stored) / 16;
constexpr int64 kJoinWords = kSnapshotBytes / 16;
constexpr int64 kJoinWarps = (kJoinWords + 31) / 32;
static_assert(kSumWords % 32 == 0, "a warp has words of one kind");

__device__ __forceinline__ void read_numbers(float (&values)[16 / sizeof(stored)],
                                             const unsigned char* word) {
  const uint4 bits = *reinterpret_cast<const uint4*>(word);
  const stored* numbers = reinterpret_cast<const stored*>(&bits);
#pragma unroll
  for (int i = 0; i < (int)(16 / sizeof(stored)); i++) values[i] = float_of_stored(numbers[i]);
}

__device__ __forceinline__ void write_numbers(
    unsigned char* word, const float (&values)[16 / sizeof(stored)]) {
  uint4 bits;
  stored* numbers = reinterpret_cast<stored*>(&bits);
#pragma unroll
  for (int i = 0; i < (int)(16 / sizeof(stored)); i++) numbers[i] = stored_of(values[i]);
  *reinterpret_cast<uint4*>(word) = bits;
}

#if BF16
// Words of z.
__device__ __forceinline__ void read_numbers(float (&values)[4], const unsigned char* word) {
  const float4 four = *reinterpret_cast<const float4*>(word);
  values[0] = four.x;
  values[1] = four.y;
  values[2] = four.z;
  values[3] = four.w;
}

__device__ __forceinline__ void write_numbers(unsigned char* word, const float (&values)[4]) {
  *reinterpret_cast<float4*>(word) = make_float4(values[0], values[1], values[2], values[3]);
}
#endif

// Numbers of a head's state of the caller's, or of the gradient of one; `number` counts as in a
// segment's own state.
template <int kNumbers>
__device__ __forceinline__ void read_caller(
    float (&values)[kNumbers], const float* sums, const float* key_sums, int64 number, float factor) {
  const int64 size = (int64)kFeatures * kHeadDim;
  const float* source = number < size ? sums + blockIdx.y * size + number
                                      : key_sums + blockIdx.y * (int64)kFeatures + number - size;
  for (int n = 0; n < kNumbers; n++) values[n] = source[n] * factor;
}

// Joins one word of all chunks of a head; `number` is its first in a segment's own state. Every
// segment's snapshots are of the segment alone; what precedes it (of gradients: follows it) is added
// here, decayed from chunk to chunk:
//   snapshot += carry;  carry <- exp(G_chunk) carry;  at a segment's end, carry += its own state.
// Of gradients, also the product with the chunk's state, decayed to where that stands. A caller's
// states enter it as they are: what passes over all of a short call may be in effect one pair.
template <bool kGradient, int kNumbers>
__device__ __forceinline__ void join(
    const Arguments& args, int64 word, int64 number, int feature, bool valid) {
  const int64 batch = blockIdx.y / args.key_heads;
  const int64 head = blockIdx.y % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const float multiplicity = FeatureBlock(feature / 16).multiplicity();
  const int64 segments = segment_count(args, sequence);
  const float* own = (kGradient ? args.segment_gradients : args.segment_states) +
                     blockIdx.y * args.segments * kStateNumbers + number;
  const bool initial = kGradient && args.initial_gradient != nullptr;
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  float carry[kNumbers] = {};
  for (int64 i = 0; i < segments; i++) {
    const int64 index = kGradient ? segments - 1 - i : i;
    const Segment segment = segment_of(args, sequence, index);
    for (int64 c = 0; c < segment.end - segment.first; c++) {
      const int64 chunk = kGradient ? segment.end - 1 - c : segment.first + c;
      const int64 place = chunk_place(args, sequence, head, chunk);
      const int64 offset = place * kSnapshotBytes + word * 16;
      float values[kNumbers] = {};
      if (valid && (kGradient || i > 0)) {
        unsigned char* target = (kGradient ? args.state_gradients : args.states) + offset;
        read_numbers(values, target);
        if (i > 0) {
          for (int n = 0; n < kNumbers; n++) values[n] = fmaf(carry[n], multiplicity, values[n]);
          write_numbers(target, values);
        }
      }
#if GATED
      const float decay = expf((float)chunk_log_decay(args, sequence, gate_sum, chunk));
      for (int n = 0; n < kNumbers; n++) carry[n] *= decay;
      if (kGradient) {
        float states[kNumbers] = {};
        if (valid) {
          read_numbers(states, args.states + offset);
          if (chunk == 0 && args.initial_sums != nullptr) {
            read_caller(states, args.initial_sums, args.initial_key_sums, number, multiplicity);
          }
          if (chunk == sequence.chunks - 1 && args.final_gradient != nullptr) {
            read_caller(values, args.final_gradient, args.final_key_gradient, number, 1);
          }
        }
        float product = 0;
        for (int n = 0; n < kNumbers; n++) product = fmaf(values[n], states[n], product);
        product *= decay / multiplicity;  // both have it folded in
        for (int distance = 16; distance > 0; distance /= 2) {
          product += __shfl_xor_sync(0xffffffff, product, distance);
        }
        if (threadIdx.x % 32 == 0) args.state_products[place * kJoinWarps + word / 32] = product;
      }
#endif
    }
    if (valid && (initial || i + 1 < segments)) {
      for (int n = 0; n < kNumbers; n++) carry[n] += own[index * kStateNumbers + n];
    }
  }
  if (initial && valid) {
    const int64 sums = (int64)kFeatures * kHeadDim;
    float* target = number < sums ? args.initial_gradient + blockIdx.y * sums + number
                                  : args.initial_key_gradient + blockIdx.y * (int64)kFeatures +
                                        number - sums;
    for (int n = 0; n < kNumbers; n++) target[n] = carry[n] * multiplicity;
  }
}

template <bool kGradient>
__device__ __forceinline__ void join_words(const Arguments& args) {
  const int64 word = blockIdx.x * (int64)kJoinThreads + threadIdx.x;
  if (word / 32 >= kJoinWarps) return;  // whole warps
#if NORMALIZED
  if (word >= kSumWords) {
    const bool valid = word < kJoinWords;
    const int feature = valid ? (int)(word - kSumWords) * 4 : 0;
    join<kGradient, 4>(args, word, (int64)kFeatures * kHeadDim + feature, feature, valid);
    return;
  }
#endif
  constexpr int numbers = 16 / sizeof(stored);
#if WGMMA
  // Eight columns of a feature in a core matrix.
  const int feature = (int)(word / kHeadDim * 8 + word % 8);
  const int64 number = (int64)feature * kHeadDim + word % kHeadDim / 8 * 8;
#else
  const int64 number = word * numbers;
  const int feature = (int)(number / kHeadDim);
#endif
  join<kGradient, numbers>(args, word, number, feature, true);
}

// Adds to each segment's states what precedes the segment.
// Grid (kJoinWords / 256 rounded up, batch * key_heads).
extern "C" __global__ __launch_bounds__(kJoinThreads)
void join_states(const __grid_constant__ Arguments args) {
  join_words<false>(args);
}

// Adds to each segment's gradients what follows the segment, and leaves the products with the
// states, and the gradient of the initial state. Same grid.
extern "C" __global__ __launch_bounds__(kJoinThreads)
void join_gradients(const __grid_constant__ Arguments args) {
  join_words<true>(args);
}
