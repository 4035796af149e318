#pragma once

// Numbers of one key/value head's state in fp32: S [kFeatures][kHeadDim], then z [kFeatures].
#if NORMALIZED
constexpr int64 kStateNumbers = (int64)kFeatures * (kHeadDim + 1);
#else
constexpr int64 kStateNumbers = (int64)kFeatures * kHeadDim;
#endif

// The chunked form reads the state not at the chunk's first token but kOverlap tokens before it, and
// attends to those tokens directly. Otherwise a chunk's first rows would rest on the state alone:
// where gates are strong it is in effect one key, and phi(q) S in 16 bits cancels badly wherever
// that key's score is small.
constexpr int64 kOverlap = 64;

// One of the sequences of a call: a batch entry, or one of those that are packed one after another
// along the token dimension. Packed ones differ in length and may be empty; grids are sized for the
// longest, so a block may have nothing to do.
struct Sequence {
  int64 first;        // its first token within the batch entry: not 0 only if packed
  int64 tokens;
  int64 rows;         // its first token among the tokens of all sequences
  int64 chunks;
  int64 first_chunk;  // place of its first chunk among those of all sequences
  int64 state_end;    // first token that a walk leaves out of the final state
};

template <typename Args>
__device__ __forceinline__ Sequence sequence_of(const Args& args, int64 index) {
  Sequence sequence;
  const bool packed = args.offsets != nullptr;
  sequence.first = 0;
  sequence.tokens = args.tokens;
  sequence.rows = index * args.tokens;
  if (packed) {
    sequence.first = args.offsets[index];
    sequence.tokens = args.offsets[index + 1] - sequence.first;
    sequence.rows = sequence.first;
  }
  sequence.chunks = (sequence.tokens + args.chunk - 1) / args.chunk;
  // Packed, each sequence has one place more than whole chunks fit: its last may be cut short.
  sequence.first_chunk =
      packed ? sequence.first / args.chunk + index : index * sequence.chunks;
  sequence.state_end = max(sequence.tokens - args.held_back, (int64)0);
  return sequence;
}

// A sequence's first token in a tensor, for one head.
template <typename Number>
__device__ __forceinline__ Number* head_rows(
    Number* tensor, const Strides& strides, const Sequence& sequence, int64 batch, int64 head) {
  return tensor + batch * strides.batch + sequence.first * strides.token + head * strides.head;
}

// Index of a sequence's first token in a workspace [key_heads, all_tokens].
template <typename Args>
__device__ __forceinline__ int64 token_place(
    const Args& args, const Sequence& sequence, int64 head) {
  return head * args.all_tokens + sequence.rows;
}

// Index of a sequence's chunk in a workspace [key_heads, all_chunks].
template <typename Args>
__device__ __forceinline__ int64 chunk_place(
    const Args& args, const Sequence& sequence, int64 head, int64 chunk) {
  return head * args.all_chunks + sequence.first_chunk + chunk;
}

// First token that the state read by a chunk leaves out; for the chunk after the last, the
// first that a walk leaves out of the final state.
template <typename Args>
__device__ __forceinline__ int64 state_start(
    const Args& args, const Sequence& sequence, int64 chunk) {
  if (chunk == 0) return 0;
  return chunk < sequence.chunks ? chunk * args.chunk - kOverlap : sequence.state_end;
}

#if GATED
// G of a token of a chunk, or of the kOverlap before it, counted from the chunk's first token on.
// `gate_sum` has the sums of the sequence's tokens.
template <typename Args>
__device__ __forceinline__ double gate_at(
    const Args& args, const double* gate_sum, int64 chunk, int64 token) {
  const int64 first = chunk * args.chunk;
  return token < first ? gate_sum[token] - gate_sum[first - 1] : gate_sum[token];
}

// G just before the chunk's state_start, counted likewise.
template <typename Args>
__device__ __forceinline__ double gate_before(
    const Args& args, const double* gate_sum, int64 chunk) {
  if (chunk == 0) return 0;
  const int64 first = chunk * args.chunk;
  const double before = args.chunk > kOverlap ? gate_sum[first - kOverlap - 1] : 0;
  return before - gate_sum[first - 1];
}

// G from the chunk's state_start to the next one's, which is the same place where the first chunk is
// all overlap.
template <typename Args>
__device__ __forceinline__ double chunk_log_decay(
    const Args& args, const Sequence& sequence, const double* gate_sum, int64 chunk) {
  const int64 end = state_start(args, sequence, chunk + 1);
  if (end == state_start(args, sequence, chunk)) return 0;
  return gate_at(args, gate_sum, chunk, end - 1) - gate_before(args, gate_sum, chunk);
}
#endif
